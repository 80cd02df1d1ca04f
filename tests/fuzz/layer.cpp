// A layer of bytes that somebody chose: decompressed, read and unpacked, as an import does it. Whatever happens, nothing outside the
// folder may change, and nothing of what was made may be a link that something was written through.
// sources: runtime/base/*.cpp runtime/image/*.cpp runtime/image/tool/*.cpp runtime/spec/default_spec.cpp runtime/kernel/attributes.cpp runtime/kernel/copy_tree.cpp runtime/kernel/files.cpp runtime/kernel/mounting.cpp runtime/kernel/overlay.cpp runtime/kernel/process.cpp
#include "image/tool/decoder.hpp"
#include "image/tool/unpacker.hpp"
#include "kernel/files.hpp"

#include <cstdlib>
#include <unistd.h>

using namespace brig;

namespace {

// Made once: a folder with a canary beside the place of unpacking.
std::string place()
{
    static std::string path = [] {
        char name[] = "/tmp/brig-fuzz-XXXXXX";
        if (::mkdtemp(name) == nullptr)
            std::abort();
        return std::string(name);
    }();
    return path;
}

class Chunks : public image::ByteSource {
public:
    explicit Chunks(std::string_view bytes) : m_bytes(bytes) {}
    Result<std::string_view> next() override
    {
        // Odd pieces: what spans two of them is where decoders go wrong.
        constexpr size_t most = 1021;
        std::string_view piece = m_bytes.substr(0, most);
        m_bytes.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view m_bytes;
};

void unpack(std::string_view bytes)
{
    Chunks chunks(bytes);
    auto decoder = image::make_decoder(image::compression_of(bytes.substr(0, 8)), chunks);
    if (!decoder)
        return;
    auto archive = image::ArchiveReader::open(**decoder);
    if (!archive)
        return;
    auto root = kernel::open_at(kernel::working_directory, place() + "/layer", O_RDONLY | O_DIRECTORY);
    if (!root)
        std::abort();
    image::UnpackBudget budget;
    budget.limits = {uint64_t{8} << 20, 2000, 200};
    image::UnpackOptions options;
    image::Unpacker unpacker(*root, options, budget);
    if (unpacker.unpack(**archive))
        (void)image::drain(**decoder);
    auto nothing = image::LayerStack::open({}, options.attributes);
    if (nothing)
        (void)unpacker.settle(*nothing);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FdRef here = kernel::working_directory;
    if (!kernel::make_directory(here, place() + "/layer", 0700))
        std::abort();
    unpack({reinterpret_cast<const char*>(data), size});
    // The layer's folder is the only entry beside nothing else.
    auto folder = kernel::open_at(here, place(), O_RDONLY | O_DIRECTORY);
    if (!folder || kernel::list_directory(*folder).value_or(std::vector<std::string>{}) != std::vector<std::string>{"layer"})
        std::abort();
    if (!kernel::remove_tree(here, place() + "/layer"))
        std::abort();
    return 0;
}
