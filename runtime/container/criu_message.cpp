#include "container/criu_message.hpp"

namespace brig::container {

namespace {

// Kinds of values in the wire format.
constexpr unsigned varint_kind = 0;
constexpr unsigned bytes_kind = 2;

// ---- writing ---------------------------------------------------------------------------------------------------------

class Writer {
public:
    Writer& number(unsigned field, uint64_t value)
    {
        varint(field << 3 | varint_kind);
        varint(value);
        return *this;
    }

    Writer& bytes(unsigned field, std::string_view value)
    {
        varint(field << 3 | bytes_kind);
        varint(value.size());
        m_text += value;
        return *this;
    }

    // Absent fields have the default, which is false, 0 or "" for all that are used here.
    Writer& flag(unsigned field, bool value) { return value ? number(field, 1) : *this; }
    Writer& text(unsigned field, std::string_view value) { return value.empty() ? *this : bytes(field, value); }

    const std::string& result() const { return m_text; }

private:
    void varint(uint64_t value)
    {
        for (; value >= 0x80; value >>= 7)
            m_text += static_cast<char>(value | 0x80);
        m_text += static_cast<char>(value);
    }

    std::string m_text;
};

// int32 fields carry negative numbers as 64-bit ones; descriptors and pids are never negative here.
uint64_t as_field(int value)
{
    return static_cast<uint64_t>(value);
}

void write_flags(Writer& writer, const CriuOptions& options)
{
    writer.flag(3, options.leave_running)
        .flag(4, options.external_unix_sockets)
        .flag(5, options.tcp_established)
        .flag(6, options.evasive_devices)
        .flag(7, options.shell_job)
        .flag(8, options.file_locks)
        .flag(15, options.track_memory)
        .flag(16, options.auto_dedup)
        .flag(18, options.link_remap)
        .flag(26, options.restore_as_sibling)
        .flag(46, options.tcp_skip_in_flight)
        .flag(48, options.lazy_pages);
}

void write_texts(Writer& writer, const CriuOptions& options)
{
    writer.text(10, options.log_file)
        .text(13, options.root)
        .text(14, options.parent_image)
        .text(44, options.freeze_cgroup)
        .text(51, options.config_file)
        .text(53, options.lsm_profile)
        .text(63, options.lsm_mount_context);
}

void write_lists(Writer& writer, const CriuOptions& options)
{
    for (const auto& mount : options.external_mounts)
        writer.bytes(23, Writer().bytes(1, mount.key).bytes(2, mount.value).result());
    for (const auto& root : options.cgroup_roots)
        writer.bytes(25, Writer().bytes(1, root.key).bytes(2, root.value).result());
    for (const auto& inherited : options.inherited)
        writer.bytes(27, Writer().bytes(1, inherited.key).number(2, as_field(inherited.fd)).result());
    for (const auto& external : options.externals)
        writer.bytes(37, external);
    for (const auto& joined : options.joined_namespaces)
        writer.bytes(39, Writer().bytes(1, joined.type).bytes(2, joined.host_path).result());
}

std::string encode_options(const CriuOptions& options)
{
    constexpr unsigned log_everything = 4;
    Writer writer;
    writer.number(1, as_field(options.images_directory));
    if (options.pid != 0)
        writer.number(2, as_field(options.pid));
    if (options.work_directory >= 0)
        writer.number(17, as_field(options.work_directory));
    if (!options.page_server_address.empty())
        writer.bytes(11, Writer().bytes(1, options.page_server_address).number(2, uint64_t{options.page_server_port}).result());
    writer.number(9, log_everything)
        .flag(12, true) // notifications
        .flag(24, true) // cgroups, for CRIU before 2.0's modes
        .number(34, static_cast<uint64_t>(options.cgroup_mode))
        .number(38, options.empty_namespaces)
        .flag(50, true); // a terminal's master is sent in a notification
    write_flags(writer, options);
    write_texts(writer, options);
    write_lists(writer, options);
    return writer.result();
}

Writer request_of(CriuRequestType type)
{
    Writer writer;
    writer.number(1, static_cast<uint64_t>(type));
    return writer;
}

} // namespace

std::string encode_criu_request(CriuRequestType type, const CriuOptions& options)
{
    return request_of(type).bytes(2, encode_options(options)).result();
}

std::string encode_criu_question(CriuRequestType type)
{
    if (type != CriuRequestType::feature_check)
        return request_of(type).result();
    return request_of(type).bytes(5, Writer().flag(1, true).flag(2, true).result()).result();
}

std::string encode_criu_notified()
{
    return request_of(CriuRequestType::notify).flag(3, true).result();
}

// ---- reading ---------------------------------------------------------------------------------------------------------

namespace {

struct Field {
    unsigned number = 0;
    uint64_t value = 0;     // a number
    std::string_view bytes; // anything else
};

class Reader {
public:
    explicit Reader(std::string_view rest) : m_rest(rest) {}

    bool at_end() const { return m_rest.empty(); }

    Result<Field> next()
    {
        uint64_t head = TRY(varint());
        Field field;
        field.number = static_cast<unsigned>(head >> 3);
        switch (head & 7) {
        case varint_kind: field.value = TRY(varint()); return field;
        case bytes_kind: field.bytes = TRY(take(TRY(varint()))); return field;
        case 1: field.bytes = TRY(take(8)); return field;
        case 5: field.bytes = TRY(take(4)); return field;
        default: return damaged();
        }
    }

private:
    static tl::unexpected<Error> damaged()
    {
        return failure(ErrorKind::invalid, "CRIU's answer is no protocol buffer of the kind that is known here");
    }

    Result<std::string_view> take(uint64_t size)
    {
        if (size > m_rest.size())
            return damaged();
        auto taken = m_rest.substr(0, size);
        m_rest.remove_prefix(size);
        return taken;
    }

    Result<uint64_t> varint()
    {
        uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (m_rest.empty())
                return damaged();
            auto byte = static_cast<unsigned char>(m_rest.front());
            m_rest.remove_prefix(1);
            value |= uint64_t{byte & 0x7fU} << shift;
            if ((byte & 0x80) == 0)
                return value;
        }
        return damaged();
    }

    std::string_view m_rest;
};

template<typename Visit> Result<> for_each_field(std::string_view bytes, Visit visit)
{
    Reader reader(bytes);
    while (!reader.at_end())
        visit(TRY(reader.next()));
    return {};
}

Result<> read_notification(CriuResponse& response, std::string_view bytes)
{
    return for_each_field(bytes, [&](const Field& field) {
        if (field.number == 1)
            response.notification = field.bytes;
        if (field.number == 2)
            response.pid = static_cast<pid_t>(field.value);
    });
}

Result<> read_restored(CriuResponse& response, std::string_view bytes)
{
    return for_each_field(bytes, [&](const Field& field) {
        if (field.number == 1)
            response.pid = static_cast<pid_t>(field.value);
    });
}

Result<> read_features(CriuResponse& response, std::string_view bytes)
{
    return for_each_field(bytes, [&](const Field& field) {
        if (field.number == 1)
            response.features.memory_tracking = field.value != 0;
        if (field.number == 2)
            response.features.lazy_pages = field.value != 0;
    });
}

// As CRIU counts them: a git build after 3.11 is 3.12.
Result<> read_version(CriuResponse& response, std::string_view bytes)
{
    unsigned major = 0;
    unsigned minor = 0;
    unsigned sublevel = 0;
    bool between_releases = false;
    TRY(for_each_field(bytes, [&](const Field& field) {
        switch (field.number) {
        case 1: major = static_cast<unsigned>(field.value); break;
        case 2: minor = static_cast<unsigned>(field.value); break;
        case 3: between_releases = true; break;
        case 4: sublevel = static_cast<unsigned>(field.value); break;
        default: break;
        }
    }));
    response.version = major * 10000 + (between_releases ? minor + 1 : minor) * 100 + (between_releases ? 0 : sublevel);
    return {};
}

Result<> read_response_field(CriuResponse& response, const Field& field)
{
    switch (field.number) {
    case 1: response.type = static_cast<CriuRequestType>(field.value); return {};
    case 2: response.success = field.value != 0; return {};
    case 4: return read_restored(response, field.bytes);
    case 5: return read_notification(response, field.bytes);
    case 7: response.error_number = static_cast<int>(field.value); return {};
    case 8: return read_features(response, field.bytes);
    case 9: response.error_message = field.bytes; return {};
    case 10: return read_version(response, field.bytes);
    default: return {};
    }
}

} // namespace

Result<CriuResponse> decode_criu_response(std::string_view bytes)
{
    CriuResponse response;
    Reader reader(bytes);
    while (!reader.at_end())
        TRY(read_response_field(response, TRY(reader.next())));
    return response;
}

} // namespace brig::container
