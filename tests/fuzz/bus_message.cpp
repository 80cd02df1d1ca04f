// Messages that arrive on the connection to systemd.
// sources: runtime/cgroup/dbus_message.cpp runtime/base/text.cpp runtime/base/error.cpp runtime/base/fmt_functions.cpp
#include "cgroup/dbus_message.hpp"

#include <cstdlib>

using namespace brig;
using namespace brig::cgroup;

namespace {

void read_message(std::string_view bytes)
{
    auto message = decode_bus_message(bytes);
    if (!message)
        return;
    BusReader body(message->body);
    while (!body.at_end()) {
        size_t before = body.position();
        if (!body.string())
            break;
        if (body.position() <= before || body.position() > message->body.size())
            std::abort();
    }
}

// A call of ours with these texts is read as what was written.
void write_and_read(std::string_view text)
{
    BusCall call;
    call.path = std::string(text.substr(0, text.find('\0')));
    call.member = "Get";
    BusWriter body;
    body.string(call.path);
    call.signature = "s";
    call.body = body.bytes();
    std::string bytes = encode_bus_call(call, 1);
    auto length = bus_message_length(bytes);
    if (!length || *length != bytes.size())
        std::abort();
    auto message = decode_bus_message(bytes);
    if (!message || message->path != call.path || message->member != call.member || message->body != call.body)
        std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    auto length = bus_message_length(bytes);
    if (length && *length) {
        if (**length > largest_bus_message)
            std::abort();
        read_message(bytes.substr(0, **length));
    }
    write_and_read(bytes);
    return 0;
}
