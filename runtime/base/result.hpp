// Result<T> is a value or an Error; TRY gives the value or returns the Error to the caller.
#pragma once

#include "base/error.hpp"

#include <tl/expected.hpp>
#include <utility>

namespace brig {

template<typename T = void> using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(Error error)
{
    return tl::unexpected<Error>(std::move(error));
}

inline tl::unexpected<Error> failure(ErrorKind kind, std::string what)
{
    return tl::unexpected<Error>(Error(kind, std::move(what)));
}

namespace detail {

template<typename T> T take_value(Result<T>&& result)
{
    return std::move(*result);
}

inline void take_value(Result<void>&&) {}

} // namespace detail

} // namespace brig

#define TRY(expression)                                                                                                \
    __extension__({                                                                                                    \
        auto try_result_ = (expression);                                                                               \
        if (!try_result_) [[unlikely]]                                                                                 \
            return ::brig::failure(std::move(try_result_).error());                                                    \
        ::brig::detail::take_value(std::move(try_result_));                                                            \
    })

// TRY that names the step for the reader of the error; `step` is evaluated on failure only.
#define TRY_DURING(step, expression)                                                                                   \
    __extension__({                                                                                                    \
        auto try_result_ = (expression);                                                                               \
        if (!try_result_) [[unlikely]]                                                                                 \
            return ::brig::failure(std::move(try_result_).error().during(step));                                       \
        ::brig::detail::take_value(std::move(try_result_));                                                            \
    })
