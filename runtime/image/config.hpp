// The configuration of an image (OCI image specification, config.md; Docker's is the same): what runs in it, and as whom.
//
// Layer: image. Pure. Unknown members are ignored, as the specification demands. Errors: kind invalid, naming the member.
#pragma once

#include "base/json.hpp"
#include "base/result.hpp"

#include <map>
#include <string>
#include <vector>

namespace brig::image {

struct Platform {
    std::string os;           // "linux"
    std::string architecture; // "amd64", as Go spells it
    std::string variant;      // "v8"; empty: none

    std::string text() const; // "linux/arm64/v8"
};

// Of the program that runs.
Platform host_platform();
// Whether what was made for `offered` runs on `host`; an empty variant of either fits any.
bool fits(const Platform& offered, const Platform& host);

struct Config {
    Platform platform;
    std::string created; // RFC 3339; empty: unknown
    std::string author;
    std::string user; // "", "name", "uid", "user:group", each a name or a number
    std::vector<std::string> env;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::string working_dir;
    std::vector<std::string> volumes;       // absolute paths, sorted
    std::vector<std::string> exposed_ports; // "80/tcp", sorted
    std::string stop_signal;                // "SIGTERM", "15"; empty: none
    std::map<std::string, std::string> labels;
    std::vector<std::string> diff_ids; // "sha256:...", lowest layer first
};

Result<Config> parse_config(std::string_view text);

} // namespace brig::image
