#include "sandbox/control_protocol.hpp"

#include "base/bytes.hpp"

namespace brig::sandbox {

namespace {

void write_program(ByteWriter& writer, const Program& program)
{
    writer.texts(program.programs).texts(program.arguments).texts(program.environment);
    writer.number(program.code ? 1 : 0).text(program.code.value_or("")).text(program.code_suffix);
}

Program read_program(ByteReader& reader)
{
    Program program;
    program.programs = reader.texts();
    program.arguments = reader.texts();
    program.environment = reader.texts();
    bool has_code = reader.number() != 0;
    std::string code = reader.text();
    if (has_code)
        program.code = std::move(code);
    program.code_suffix = reader.text();
    return program;
}

} // namespace

std::string encode_control(const ControlMessage& message)
{
    ByteWriter writer;
    writer.number(static_cast<uint64_t>(message.kind)).text(message.text).text(message.reason).number(message.number);
    writer.number(static_cast<uint64_t>(message.timeout)).number(message.whole ? 1 : 0);
    writer.number(message.rows).number(message.columns);
    write_program(writer, message.program);
    return writer.take();
}

Result<ControlMessage> decode_control(std::string_view bytes)
{
    ByteReader reader(bytes);
    uint64_t kind = reader.number();
    ControlMessage message;
    message.kind = static_cast<ControlKind>(kind);
    message.text = reader.text();
    message.reason = reader.text();
    message.number = reader.number();
    message.timeout = static_cast<int64_t>(reader.number());
    message.whole = reader.number() != 0;
    message.rows = static_cast<uint16_t>(reader.number());
    message.columns = static_cast<uint16_t>(reader.number());
    message.program = read_program(reader);
    message.program.terminal = message.kind == ControlKind::attach;
    message.program.rows = message.rows;
    message.program.columns = message.columns;
    bool known = kind >= static_cast<uint64_t>(ControlKind::exec) && kind <= static_cast<uint64_t>(ControlKind::failed);
    if (!known || !reader.complete())
        return failure(ErrorKind::internal, "a message about a sandbox cannot be read");
    return message;
}

} // namespace brig::sandbox
