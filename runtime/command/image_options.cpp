#include "command/image_options.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/inherited.hpp"

#include <cstdlib>

namespace brig::command {

Result<std::string> store_root(const Arguments& arguments)
{
    if (auto given = arguments.text_if_given("store")) {
        if (given->empty())
            return failure(ErrorKind::invalid, "--store cannot be empty");
        return clean_path(TRY(absolute_path(*given)));
    }
    if (is_host_root())
        return std::string(image::default_store);
    const char* data = std::getenv("XDG_DATA_HOME");
    if (data && *data == '/')
        return join_path(data, "brig");
    const char* home = std::getenv("HOME");
    if (home && *home == '/')
        return join_path(home, ".local/share/brig");
    return failure(Error(ErrorKind::invalid, "neither $XDG_DATA_HOME nor $HOME says where images are kept")
                       .with_hint("name a folder with --store"));
}

image::ProcessRequest process_of_options(const Arguments& arguments, std::vector<std::string> args)
{
    image::ProcessRequest request;
    request.args = std::move(args);
    request.entrypoint = arguments.text_if_given("entrypoint");
    request.env = arguments.list("env");
    request.user = arguments.text_if_given("user");
    request.cwd = arguments.text_if_given("cwd");
    request.terminal = arguments.flag("tty");
    return request;
}

} // namespace brig::command
