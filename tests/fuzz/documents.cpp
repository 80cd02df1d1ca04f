// An archive of images that somebody chose: its index, manifests and configurations are read, checked and chosen from, and what
// comes out is made into a config.json. The first byte says what the rest is.
// sources: runtime/base/*.cpp runtime/image/*.cpp runtime/image/tool/*.cpp runtime/spec/default_spec.cpp runtime/kernel/attributes.cpp runtime/kernel/copy_tree.cpp runtime/kernel/files.cpp runtime/kernel/mounting.cpp runtime/kernel/overlay.cpp runtime/kernel/process.cpp
#include "image/config.hpp"
#include "image/image_spec.hpp"
#include "image/tool/image_source.hpp"
#include "kernel/files.hpp"

#include <cstdlib>
#include <sys/mman.h>

using namespace brig;

namespace {

void read_archive(std::string_view bytes)
{
    auto file = kernel::memory_file("archive", 0);
    if (!file || !kernel::write_all(*file, bytes))
        std::abort();
    auto files = image::TarFiles::open(std::make_shared<Fd>(std::move(*file)));
    if (!files)
        return;
    auto holds = image::holds_images(**files);
    if (holds && *holds)
        (void)image::find_images(**files, {"/fuzz.tar", "", image::host_platform(), {}});
}

void read_configuration(std::string_view bytes)
{
    auto config = image::parse_config(bytes);
    if (!config)
        return;
    image::Image one;
    one.config = std::move(*config);
    one.store = "/nowhere";
    auto spec = image::make_spec(one, image::OverlayAttributes::trusted, {});
    if (spec && !Json::parse(spec->to_text()))
        std::abort(); // what brig writes it can read
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size == 0)
        return 0;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] % 2 == 0)
        read_archive(bytes);
    else
        read_configuration(bytes);
    return 0;
}
