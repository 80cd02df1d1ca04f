#include "image/tool/verify.hpp"
#include "base/text.hpp"
#include "command/image/verbs.hpp"

#include <array>

namespace brig::command {

namespace {

constexpr std::array options = {
    Option{"digests-only", 0, OptionType::flag, "", "hash the blobs, but do not unpack and compare the layers"},
    store_option,
    json_option,
};

Result<int> run(const Invocation& invocation)
{
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    image::VerifyRequest request;
    request.references = invocation.arguments.operands();
    request.trees = !invocation.arguments.flag("digests-only");
    auto problems = TRY(image::verify_store(writer, request));
    if (invocation.arguments.flag("json")) {
        Json list = Json::array();
        for (const auto& problem : problems) {
            Json entry = Json::object();
            entry.set("where", Json::string(problem.where)).set("what", Json::string(problem.what));
            list.append(std::move(entry));
        }
        TRY(print_json(list));
    } else {
        std::string text;
        for (const auto& problem : problems)
            text += fmt::format("{}: {}\n", problem.where, one_line(problem.what));
        TRY(print(problems.empty() ? "all is as it should be\n" : text));
    }
    return problems.empty() ? 0 : 1;
}

} // namespace

constinit const Verb image_verify_verb = {
    .name = "verify",
    .summary = "check the store, or some images of it",
    .usage = "[options] [IMAGE...]",
    .description = "Hashes every blob again, unpacks every layer again beside and compares it with what is there: types,\n"
                   "modes, owners, times, attributes and contents. Exit status 1 when something differs.",
    .example = "  brig image verify\n  brig image verify --digests-only busybox",
    .options = options,
    .most_operands = any_number,
    .run = run,
};

} // namespace brig::command
