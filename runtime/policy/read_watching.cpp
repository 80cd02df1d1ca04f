#include "base/text.hpp"
#include "policy/read_policy.hpp"
#include "policy/read_sections.hpp"
#include "policy/read_values.hpp"

namespace brig::policy {

Result<> read_value(JsonView value, const Place& place, Limits& out)
{
    static constexpr std::array rows = {
        duration_row<&Limits::timeout_ms>("timeout"),
        duration_row<&Limits::grace_ms>("grace"),
        duration_row<&Limits::idle_ms>("idleTimeout"),
        duration_row<&Limits::lifetime_ms>("maxLifetime"),
        size_row<&Limits::output_bytes>("output"),
        size_row<&Limits::log_bytes>("log"),
        row<&Limits::programs>("programs"),
        row<&Limits::sandboxes>("sandboxes"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Artifacts& out)
{
    static constexpr std::array rows = {
        row<&Artifacts::count>("count"),
        size_row<&Artifacts::bytes>("size"),
        row<&Artifacts::extensions>("extensions"),
        row<&Artifacts::mime_types>("mimeTypes"),
    };
    return read_only_rows(value, place, rows, out);
}

namespace {

bool is_host_character(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || character == '-'
           || character == '_';
}

bool is_label(std::string_view label)
{
    constexpr size_t longest = 63; // RFC 1035
    return !label.empty() && label.size() <= longest && label.front() != '-' && label.back() != '-'
           && std::all_of(label.begin(), label.end(), is_host_character);
}

// A name of DNS, not an address: those have a number as their last label.
bool is_host_name(std::string_view host)
{
    constexpr size_t longest = 253;
    if (host.size() > longest)
        return false;
    auto labels = split(host, '.');
    return std::all_of(labels.begin(), labels.end(), is_label) && !parse_unsigned(labels.back());
}

} // namespace

std::string Destination::text() const
{
    std::string text = subdomains ? "*." + host : host;
    return port ? fmt::format("{}:{}", text, *port) : text;
}

Result<Destination> parse_destination(const std::string& text)
{
    constexpr uint64_t last_port = 65535;
    auto bad = [&] {
        return failure(Error(ErrorKind::invalid, fmt::format("{} is not a destination", quoted(text)))
                           .with_hint("write a domain name like pypi.org, *.pythonhosted.org or pypi.org:443, not an address; "
                                      "international names in their xn-- form"));
    };
    Destination destination;
    std::string_view rest = text;
    if (auto colon = rest.find(':'); colon != std::string_view::npos) {
        auto port = parse_unsigned(rest.substr(colon + 1));
        if (!port || *port == 0 || *port > last_port)
            return bad();
        destination.port = static_cast<uint16_t>(*port);
        rest = rest.substr(0, colon);
    }
    if (rest.starts_with("*.")) {
        destination.subdomains = true;
        rest.remove_prefix(2);
    }
    if (rest.ends_with('.'))
        rest.remove_suffix(1);
    for (char character : rest)
        destination.host += character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a') : character;
    if (!is_host_name(destination.host))
        return bad();
    return destination;
}

static Result<> read_value(JsonView value, const Place& place, NetworkMode& out)
{
    static constexpr std::array words = {
        Word<NetworkMode>{"none", NetworkMode::none},
        Word<NetworkMode>{"host", NetworkMode::host},
        Word<NetworkMode>{"allow", NetworkMode::allow},
    };
    return read_word(value, place, words, out);
}

static Result<> read_value(JsonView value, const Place& place, Destination& out)
{
    std::string text;
    TRY(read_value(value, place, text));
    auto destination = parse_destination(text);
    if (!destination)
        return at_place(place, std::move(destination).error());
    out = *std::move(destination);
    return {};
}

Result<> read_value(JsonView value, const Place& place, Network& out)
{
    static constexpr std::array rows = {
        row<&Network::mode>("mode"),        row<&Network::allow>("allow"),
        row<&Network::deny>("deny"),        row<&Network::connections>("connections"),
        size_row<&Network::bytes>("bytes"), size_row<&Network::bytes_per_second>("bytesPerSecond"),
    };
    return read_only_rows(value, place, rows, out);
}

Result<> read_value(JsonView value, const Place& place, Approval& out)
{
    static constexpr std::array rows = {
        row<&Approval::command>("command"),
        duration_row<&Approval::timeout_ms>("timeout"),
    };
    return read_only_rows(value, place, rows, out);
}

static Result<> read_sink(JsonView value, const Place& place, Audit& out)
{
    constexpr std::string_view file = "file:";
    std::string text;
    TRY(read_value(value, place, text));
    if (text == "none" || text == "journald") {
        out.sink = text == "none" ? AuditSink::none : AuditSink::journald;
        return {};
    }
    out.sink = AuditSink::file;
    out.file = text.starts_with(file) ? text.substr(file.size()) : "";
    if (out.file.empty() || out.file.front() != '/')
        return wrong_value(place, "\"none\", \"journald\" or \"file:\" and an absolute path", value);
    return {};
}

Result<> read_value(JsonView value, const Place& place, Audit& out)
{
    static constexpr std::array rows = {Row<Audit>{"sink", read_sink}};
    return read_only_rows(value, place, rows, out);
}

} // namespace brig::policy
