#include "command/verb.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "kernel/files.hpp"

namespace brig::command {

Result<container::Context> Invocation::context() const
{
    return make_context(globals, log);
}

Result<container::Context> Invocation::query_context() const
{
    return make_query_context(globals, log);
}

std::string verb_help(const Verb& verb, std::string_view program)
{
    return fmt::format("{6} {0} - {1}\n\nUsage: {6} {0} {2}\n\n{3}\n\nOptions:\n{4}\nExample:\n{5}\n", verb.name, verb.summary,
                       verb.usage, verb.description, options_help(verb.options), verb.example, program);
}

Result<> print(std::string_view text)
{
    return kernel::write_all(FdRef(1), text);
}

} // namespace brig::command
