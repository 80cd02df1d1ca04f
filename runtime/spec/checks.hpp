// Private to the check_*.cpp files.
#pragma once

#include "base/result.hpp"
#include "base/text.hpp"
#include "spec/spec.hpp"
#include "spec/vocabulary.hpp"

#include <span>

namespace brig::spec {

template<typename Subject> struct Check {
    std::string_view name; // for the reader of the table
    Result<> (*check)(const Subject&);
};

template<typename Subject>
Result<> run_checks(std::type_identity_t<std::span<const Check<Subject>>> checks, const Subject& subject)
{
    for (const auto& check : checks)
        TRY(check.check(subject));
    return {};
}

// `problem` names the property and its value.
tl::unexpected<Error> refused(std::string problem, std::string remedy = {});

// "PROPERTY VALUE is unknown", listing the words, unless `value` is one of them.
Result<> check_word(std::string_view property, std::string_view value, Words words);
Result<> check_words(std::string_view property, const std::vector<std::string>& values, Words words);
Result<> check_absolute(std::string_view property, std::string_view path);

// Tables of the other files; those of check_linux and check_mounts look at the whole.
std::span<const Check<Linux>> linux_checks();
Result<> check_mounts(const Spec& spec);
Result<> check_namespaces(const Spec& spec);
Result<> check_seccomp(const Linux& section);
Result<> check_id_mappings(std::string_view property, const std::vector<IdMapping>& mappings);

bool has_namespace(const Spec& spec, NamespaceType type);
const Namespace* find_namespace(const Linux& section, NamespaceType type);

} // namespace brig::spec
