// One layer from its bytes to a folder of the workspace and a blob beside it.
#pragma once

#include "image/tool/decoder.hpp"
#include "image/tool/import.hpp"

#include <string>

namespace brig::image {

struct LayerJob {
    SourceLayer source;
    std::string diff_id; // empty: not known before
    std::string blob;    // file of the workspace to copy the bytes to; empty: the store has them
    std::string folder;  // of the workspace, made here with "diff" in it; empty: the store has the layer
    // Results.
    Layer layer;                        // without chain id
    std::unique_ptr<Unpacker> unpacker; // has to settle, when it was unpacked
    Fd root;
};

struct LayerContext {
    FdRef workspace;
    UnpackOptions options;
    UnpackBudget& budget;
    ImportProgress& progress;
    std::atomic<bool>& stopped; // by the failure of another layer
};

// Reads, checks size and digests, unpacks. Kind invalid for a digest that differs.
Result<> import_layer(const LayerContext& context, LayerJob& job);

Result<Compression> compression_of_place(const FilePlace& place);

} // namespace brig::image
