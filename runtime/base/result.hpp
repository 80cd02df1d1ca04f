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

// A name of its own for each use, so that TRYs can be nested.
#define BRIG_TRY_NAME_(prefix, number) prefix##number
#define BRIG_TRY_NAME(prefix, number) BRIG_TRY_NAME_(prefix, number)

#define BRIG_TRY_INTO(result, expression, failed)                                                                                \
    __extension__({                                                                                                              \
        auto result = (expression);                                                                                              \
        if (!result) [[unlikely]]                                                                                                \
            return ::brig::failure(failed);                                                                                      \
        ::brig::detail::take_value(std::move(result));                                                                           \
    })

#define BRIG_TRY(result, expression) BRIG_TRY_INTO(result, expression, std::move(result).error())
#define BRIG_TRY_DURING(result, step, expression) BRIG_TRY_INTO(result, expression, std::move(result).error().during(step))

#define TRY(expression) BRIG_TRY(BRIG_TRY_NAME(try_result_, __COUNTER__), expression)
// TRY that names the step for the reader of the error; `step` is evaluated on failure only.
#define TRY_DURING(step, expression) BRIG_TRY_DURING(BRIG_TRY_NAME(try_result_, __COUNTER__), step, expression)
