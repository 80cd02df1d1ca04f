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

// The text is made on failure only: these run on every start. errno is read before it: path_of can change it.
#define BRIG_CALL_FAILED(...)                                                                                                    \
    __extension__({                                                                                                              \
        int call_failed_code_ = errno;                                                                                           \
        ::brig::failure(::brig::Error::system_call(call_failed_code_, fmt::format(__VA_ARGS__)));                                \
    })

} // namespace brig::kernel
