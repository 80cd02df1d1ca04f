#include "image/tool/import.hpp"
#include "base/size.hpp"
#include "base/text.hpp"
#include "command/image/imported.hpp"
#include "command/image/verbs.hpp"
#include "command/inherited.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"name", 'n', OptionType::text, "NAME", "name of the image (default: what the source says, or the file's name)"},
    Option{"ref", 0, OptionType::text, "NAME", "take this one of several images of the source"},
    Option{"platform", 0, OptionType::text, "OS/ARCH[/VARIANT]", "take the image for another machine than this one"},
    Option{"allow-devices", 0, OptionType::flag, "", "do not refuse device nodes of the image"},
    Option{"max-bytes", 0, OptionType::text, "SIZE", "refuse an image that unpacks to more (default: 32g)"},
    Option{"max-entries", 0, OptionType::number, "N", "refuse an image of more entries (default: 2000000)"},
    Option{"max-ratio", 0, OptionType::number, "N",
           "refuse layers that decompress to more than N times their size (default: 200)"},
    Option{"quiet", 'q', OptionType::flag, "", "print the digests only"},
    store_option,
    json_option,
};

Result<image::Platform> platform_from(const std::string& text)
{
    auto parts = split(text, '/');
    if (parts.size() < 2 || parts.size() > 3 || parts[0].empty() || parts[1].empty())
        return failure(
            Error(ErrorKind::invalid, fmt::format("--platform {} is none", quoted(text))).with_hint("linux/arm64, for example"));
    return image::Platform{std::string(parts[0]), std::string(parts[1]), parts.size() > 2 ? std::string(parts[2]) : ""};
}

Result<image::ImportRequest> import_request(const Invocation& invocation)
{
    const Arguments& arguments = invocation.arguments;
    image::ImportRequest request;
    request.path = invocation.operand(0) == "-" ? "-" : TRY(absolute_path(invocation.operand(0)));
    request.name = arguments.text("name");
    if (arguments.is_given("name"))
        TRY(image::check_name(request.name));
    request.reference = arguments.text("ref");
    request.platform = image::host_platform();
    if (auto given = arguments.text_if_given("platform"))
        request.platform = TRY(platform_from(*given));
    if (auto bytes = arguments.text_if_given("max-bytes")) {
        auto size = TRY_DURING("--max-bytes", parse_size(*bytes));
        request.limits.bytes = size < 0 ? UINT64_MAX : static_cast<uint64_t>(size);
    }
    if (arguments.is_given("max-entries"))
        request.limits.entries = arguments.number("max-entries");
    if (arguments.is_given("max-ratio"))
        request.limits.ratio = std::max(1U, arguments.number("max-ratio"));
    request.allow_devices = arguments.flag("allow-devices");
    request.log = invocation.log;
    return request;
}

Result<int> run(const Invocation& invocation)
{
    auto request = TRY(import_request(invocation));
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    TRY(import_and_report(invocation, writer, request));
    return 0;
}

} // namespace

constinit const Verb image_import_verb = {
    .name = "import",
    .summary = "put an image into the store",
    .usage = "[options] SOURCE",
    .description = "SOURCE is an archive of `docker save`, an OCI layout (a folder or a tar), a tar of a root file system or a\n"
                   "folder with one, compressed with gzip or zstd or not; - is stdin. Everything is checked against its\n"
                   "digest, layers are unpacked once, and what could leave the image's folder is refused.",
    .example = "  docker save python:3.11 | brig image import - --name python:3.11\n  brig image import layout/ --name tools",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .run = run,
};

} // namespace brig::command
