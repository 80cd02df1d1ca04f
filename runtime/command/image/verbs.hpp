// The verbs of `brig image`, and what they share.
#pragma once

#include "command/image_options.hpp"
#include "command/verb.hpp"
#include "image/store.hpp"
#include "image/tool/store_writer.hpp"

#include <string>

namespace brig::command {

extern const Verb image_build_verb;
extern const Verb image_bundle_verb;
extern const Verb image_export_verb;
extern const Verb image_import_verb;
extern const Verb image_inspect_verb;
extern const Verb image_list_verb;
extern const Verb image_prune_verb;
extern const Verb image_remove_verb;
extern const Verb image_tag_verb;
extern const Verb image_unpack_verb;
extern const Verb image_verify_verb;

inline constexpr Option json_option = {"json", 0, OptionType::flag, "", "say it in JSON"};

Result<image::Store> open_store(const Invocation& invocation);
// To change it; tells people when others have to be waited for.
Result<image::StoreWriter> open_store_writer(const Invocation& invocation, image::StoreUse use);

std::string size_text(uint64_t bytes);             // "12.3 MB"
std::string short_digest(std::string_view digest); // twelve digits
Result<> print_json(const Json& json);

} // namespace brig::command
