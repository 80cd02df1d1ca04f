// Private to runtime/kernel: turns -1/errno into an Error that names the call, and retries EINTR.
#pragma once

#include "base/result.hpp"
#include "base/text.hpp"

#include <cerrno>

namespace brig::kernel {

template<typename Call> auto retry_interrupted(Call call)
{
    while (true) {
        auto value = call();
        if (value >= 0 || errno != EINTR)
            return value;
    }
}

// The text is made on failure only: these run on every start.
#define BRIG_CALL_FAILED(...) ::brig::failure(::brig::Error::system_call(errno, fmt::format(__VA_ARGS__)))

} // namespace brig::kernel
