#include "command/default_image.hpp"

#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/own_files.hpp"
#include "kernel/child_process.hpp"

namespace brig::command {

namespace {

Result<> build(const image::Store& store, const std::string& name)
{
    Fd program = TRY(open_image_program());
    std::vector<std::string> words = {image_program, "build", "--quiet", "--store", store.root(), name};
    auto status = TRY(kernel::run_beside([&] { return kernel::execute_descriptor(program, words, kernel::own_environment()); }));
    if (status.signaled || status.value != 0)
        return failure(Error(ErrorKind::system, fmt::format("the image {} could not be built", quoted(name)))
                           .with_hint("`brig image import` takes any image: brig image import --help"));
    return {};
}

} // namespace

Result<image::Image> find_or_build_image(const image::Store& store, const std::string& name, const Log& log)
{
    auto image = store.find(name);
    if (image || image.error().kind() != ErrorKind::not_found || name != default_image)
        return image;
    if (!is_host_root())
        return failure(std::move(image).error().with_hint(
            "as root `brig image build shell` and `brig image export shell FILE`, then `brig image import FILE`"));
    log.write(LogLevel::warning, fmt::format("there is no image {} in {} yet: building it from the distribution's packages, once",
                                             quoted(name), store.root()));
    TRY(build(store, name));
    return TRY(image::Store::open(store.root())).find(name);
}

} // namespace brig::command
