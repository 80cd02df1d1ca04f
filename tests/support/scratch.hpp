// A directory of one test, removed at its end.
#pragma once

#include "base/text.hpp"
#include "kernel/files.hpp"

#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace brig::test {

class Scratch {
public:
    Scratch()
    {
        char name[] = "/tmp/brig-test-XXXXXX";
        if (::mkdtemp(name) == nullptr)
            std::abort();
        m_path = name;
        // Users of a container that are not this process's must be able to pass.
        must(::chmod(name, 0755) == 0);
        ::umask(022);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { (void)kernel::remove_tree(kernel::working_directory, m_path); }

    std::string path(const std::string& name = "") const { return name.empty() ? m_path : m_path + "/" + name; }
    void directory(const std::string& name, mode_t mode = 0755)
    {
        must(kernel::make_directories(path(name), 0755).has_value());
        must(::chmod(path(name).c_str(), mode) == 0);
    }
    void write(const std::string& name, const std::string& text, mode_t mode = 0644)
    {
        auto file = kernel::open_at(kernel::working_directory, path(name), O_WRONLY | O_CREAT | O_TRUNC, mode);
        must(file.has_value() && kernel::write_all(*file, text).has_value() && ::fchmod(file->get(), mode) == 0);
    }
    void link(const std::string& target, const std::string& name)
    {
        must(kernel::make_link(target, kernel::working_directory, path(name)).has_value());
    }
    bool has(const std::string& name) const
    {
        return kernel::status_at(kernel::working_directory, path(name), AT_SYMLINK_NOFOLLOW).has_value();
    }
    std::string read(const std::string& name) const
    {
        auto text = kernel::read_file(kernel::working_directory, path(name), 1 << 20);
        return text ? *text : text.error().message();
    }

private:
    // A test that cannot prepare itself has no result.
    static void must(bool succeeded)
    {
        if (!succeeded)
            std::abort();
    }

    std::string m_path;
};

} // namespace brig::test
