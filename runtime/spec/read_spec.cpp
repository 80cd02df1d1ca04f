#include "spec/read_spec.hpp"

#include "base/text.hpp"
#include "spec/reader.hpp"

#include <array>

namespace brig::spec {

namespace {

// SemVer 2.0: numbers, then "-pre.release" and "+build" at will. Only the first number says what we can read.
bool is_version_one(std::string_view version)
{
    auto suffix = version.find_first_of("-+");
    if (suffix != std::string_view::npos && suffix + 1 == version.size())
        return false;
    auto numbers = split(version.substr(0, suffix), '.');
    if (numbers.size() != 3 || numbers[0] != "1")
        return false;
    for (auto number : numbers)
        if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos)
            return false;
    return true;
}

Result<> check_version(const Spec& spec)
{
    if (spec.oci_version.empty())
        return failure(Error(ErrorKind::invalid, "ociVersion is missing").with_hint("add \"ociVersion\": \"1.0.2\""));
    if (!is_version_one(spec.oci_version))
        return failure(Error(ErrorKind::invalid, fmt::format("ociVersion {} is not supported", quoted(spec.oci_version)))
                           .with_hint("any 1.x version of the runtime specification is, written like 1.0.2"));
    return {};
}

template<typename Struct> Result<Struct> read_document(JsonView value)
{
    Struct out;
    TRY(read_value(value, Place(), out));
    return out;
}

template<typename Struct> Result<Struct> read_text(std::string_view name, std::string_view text, Result<Struct> (*read)(JsonView))
{
    Json json = TRY_DURING(std::string(name), Json::parse(text));
    return read(json.view());
}

} // namespace

static Result<> read_value(JsonView value, const Place& place, Root& out)
{
    static constexpr std::array rows = {
        row<&Root::path>("path"),
        row<&Root::readonly>("readonly"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Mount& out)
{
    static constexpr std::array rows = {
        row<&Mount::destination>("destination"),
        row<&Mount::type>("type"),
        row<&Mount::source>("source"),
        row<&Mount::options>("options"),
        row<&Mount::uid_mappings>("uidMappings"),
        row<&Mount::gid_mappings>("gidMappings"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Hook& out)
{
    static constexpr std::array rows = {
        row<&Hook::path>("path"),
        row<&Hook::args>("args"),
        row<&Hook::env>("env"),
        row<&Hook::timeout>("timeout"),
    };
    return read_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Hooks& out)
{
    static constexpr std::array rows = {
        row<&Hooks::prestart>("prestart"),
        row<&Hooks::create_runtime>("createRuntime"),
        row<&Hooks::create_container>("createContainer"),
        row<&Hooks::start_container>("startContainer"),
        row<&Hooks::poststart>("poststart"),
        row<&Hooks::poststop>("poststop"),
    };
    return read_rows(value, place, rows, out);
}

static Result<> read_value(JsonView value, const Place& place, Spec& out)
{
    static constexpr std::array rows = {
        row<&Spec::oci_version>("ociVersion"),
        row<&Spec::process>("process"),
        row<&Spec::root>("root"),
        row<&Spec::hostname>("hostname"),
        row<&Spec::domainname>("domainname"),
        row<&Spec::mounts>("mounts"),
        row<&Spec::hooks>("hooks"),
        row<&Spec::linux>("linux"),
        row<&Spec::annotations>("annotations"),
    };
    return read_rows(value, place, rows, out);
}

Result<Spec> read_spec(JsonView config)
{
    auto spec = TRY_DURING("config.json", read_document<Spec>(config));
    TRY_DURING("config.json", check_version(spec));
    return spec;
}

Result<Process> read_process(JsonView process)
{
    return TRY_DURING("process", read_document<Process>(process));
}

Result<Resources> read_resources(JsonView resources)
{
    return TRY_DURING("resources", read_document<Resources>(resources));
}

Result<Seccomp> read_seccomp(JsonView seccomp)
{
    return read_document<Seccomp>(seccomp);
}

Result<Spec> read_spec(std::string_view text)
{
    return read_text<Spec>("config.json", text, read_spec);
}

Result<Process> read_process(std::string_view text)
{
    return read_text<Process>("process", text, read_process);
}

Result<Resources> read_resources(std::string_view text)
{
    return read_text<Resources>("resources", text, read_resources);
}

} // namespace brig::spec
