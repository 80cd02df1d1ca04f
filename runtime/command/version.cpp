#include "command/version.hpp"

#include "base/text.hpp"
#include "spec/version.hpp"

#include <cstring>
#include <elf.h>
#include <link.h>
#include <seccomp.h>

#ifndef BRIG_VERSION
#define BRIG_VERSION "unknown"
#endif
#ifndef BRIG_COMMIT
#define BRIG_COMMIT "unknown"
#endif

namespace brig::command {

namespace {

// elf(5): notes are a header, a name and a description, each padded to the segment's alignment.
std::string find_build_id(const struct dl_phdr_info& object, const ElfW(Phdr) & segment)
{
    // The loader's interface gives an address as a number.
    const char* notes = reinterpret_cast<const char*>(object.dlpi_addr + segment.p_vaddr); // NOLINT(performance-no-int-to-ptr)
    auto padded = [&](size_t size) { return (size + segment.p_align - 1) / segment.p_align * segment.p_align; };
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= segment.p_memsz;) {
        ElfW(Nhdr) note;
        std::memcpy(&note, notes + at, sizeof note);
        const char* name = notes + at + sizeof note;
        const char* description = name + padded(note.n_namesz);
        if (note.n_type == NT_GNU_BUILD_ID && std::string_view(name, note.n_namesz) == std::string_view("GNU\0", 4))
            return std::string(description, note.n_descsz);
        at = static_cast<size_t>(description - notes) + padded(note.n_descsz);
    }
    return {};
}

} // namespace

std::string_view version()
{
    return BRIG_VERSION;
}

std::string_view commit()
{
    return BRIG_COMMIT;
}

std::string libseccomp_version()
{
    const struct scmp_version* linked = ::seccomp_version();
    return linked ? fmt::format("{}.{}.{}", linked->major, linked->minor, linked->micro) : "";
}

std::string build_id()
{
    std::string id;
    auto look = [](struct dl_phdr_info* object, size_t, void* found) {
        for (int index = 0; index < object->dlpi_phnum; index++)
            if (object->dlpi_phdr[index].p_type == PT_NOTE)
                *static_cast<std::string*>(found) += find_build_id(*object, object->dlpi_phdr[index]);
        return 1; // the program itself is the first
    };
    ::dl_iterate_phdr(look, &id);
    return id;
}

std::string version_text()
{
    return fmt::format("brig version {}\ncommit: {}\nspec: {}\nlibseccomp: {}\n", version(), commit(), spec::spec_version,
                       libseccomp_version());
}

} // namespace brig::command
