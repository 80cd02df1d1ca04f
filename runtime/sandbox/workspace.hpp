// Files of a sandbox's workspace, for callers outside: never anything else, whatever the programs inside do meanwhile.
//
// Runs in: the supervisor. Every path is relative to the workspace and resolved by the kernel in one step from the workspace's own
// descriptor: no "..", no absolute path, no link and no mount is followed, and only regular files are opened. What programs
// swap between two steps can make a call fail, never lead it elsewhere. A file is written beside its place and renamed.
#pragma once

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "sandbox/request.hpp"

#include <string>
#include <string_view>

namespace brig::sandbox {

// "/workspace/a/b" and "a/b" are the same. Kind invalid: empty where a file is meant, "..", other absolute paths. Pure.
Result<std::string> path_in_workspace(std::string_view path);

Result<Fd> open_for_reading(FdRef workspace, const std::string& path);

class NewFile {
public:
    // Its folder must be there. Made with the ids and the rights of `owner`, who is the host's.
    static Result<NewFile> create(FdRef workspace, const std::string& path, const User& owner);
    NewFile(NewFile&&) = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile(); // without commit() it is gone

    FdRef fd() const { return m_file; }
    // Under its name now, in place of a file that was there.
    Result<> commit();

private:
    NewFile(Fd folder, Fd file, const User& owner, std::string temporary, std::string name)
        : m_folder(std::move(folder)), m_file(std::move(file)), m_owner(owner), m_temporary(std::move(temporary)),
          m_name(std::move(name))
    {
    }

    Fd m_folder;
    Fd m_file;
    User m_owner;
    std::string m_temporary;
    std::string m_name;
};

// [{"name", "type": file|directory|link|other, "size", "mode", "modified"}], sorted by name; a file's own entry for a file.
Result<Json> list_files(FdRef workspace, const std::string& path);

} // namespace brig::sandbox
