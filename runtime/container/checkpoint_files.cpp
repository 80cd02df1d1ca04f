#include "container/checkpoint_files.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <sched.h>

namespace brig::container {

namespace {

constexpr const char* streams_file = "descriptors.json"; // runc's name and form
constexpr const char* mounts_file = "external-mounts.json";
constexpr mode_t folder_mode = 0700;

Result<Fd> open_folder(const std::string& path)
{
    return kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY);
}

Result<> write_names(FdRef images, const char* file, const std::vector<std::string>& names)
{
    return kernel::replace_file(images, file, Json::strings(names).to_text(), 0600);
}

Result<std::vector<std::string>> read_names(FdRef images, const char* file)
{
    constexpr size_t largest = 1 << 20;
    Json json = TRY_DURING(file, Json::parse(TRY(kernel::read_file(images, file, largest))));
    if (!json.view().is_array())
        return failure(ErrorKind::invalid, fmt::format("{} of the checkpoint is not a list", file));
    std::vector<std::string> names;
    for (size_t index = 0; index < json.view().size(); index++)
        names.push_back(json.view().at(index).string());
    return names;
}

} // namespace

Result<CheckpointFolders> make_checkpoint_folders(const CriuSettings& settings)
{
    CheckpointFolders folders;
    TRY(kernel::make_directories(settings.image_path, folder_mode));
    folders.images = TRY(open_folder(settings.image_path));
    if (settings.work_path.empty())
        return folders;
    TRY(kernel::make_directories(settings.work_path, folder_mode));
    folders.work = TRY(open_folder(settings.work_path));
    return folders;
}

Result<CheckpointFolders> open_checkpoint_folders(const CriuSettings& settings)
{
    CheckpointFolders folders;
    auto images = open_folder(settings.image_path);
    if (!images)
        return failure(std::move(images)
                           .error()
                           .during("open the checkpoint")
                           .with_hint("--image-path names the folder that `brig checkpoint` wrote"));
    folders.images = TRY(std::move(images));
    if (settings.work_path.empty())
        return folders;
    TRY(kernel::make_directories(settings.work_path, folder_mode));
    folders.work = TRY(open_folder(settings.work_path));
    return folders;
}

CriuOptions common_options(const CriuSettings& settings, const CheckpointFolders& folders, const std::string& log_name)
{
    CriuOptions options;
    options.images_directory = folders.images.get();
    options.work_directory = folders.work.get();
    options.log_file = log_name;
    options.cgroup_mode = settings.cgroup_mode;
    options.external_unix_sockets = settings.external_unix_sockets;
    options.tcp_established = settings.tcp_established;
    options.shell_job = settings.shell_job;
    options.file_locks = settings.file_locks;
    options.lazy_pages = settings.lazy_pages;
    options.auto_dedup = settings.auto_dedup;
    // Network devices are the engine's: it makes them anew, for it knows the addresses of the new place.
    options.empty_namespaces = CLONE_NEWNET;
    return options;
}

bool stays_external(spec::NamespaceType type)
{
    return type == spec::NamespaceType::network || type == spec::NamespaceType::pid;
}

std::string key_of_namespace(spec::NamespaceType type)
{
    return type == spec::NamespaceType::network ? "extRootNetNS" : "extRootPidNS";
}

// ---- standard streams --------------------------------------------------------------------------------------------------

namespace {

Result<uint64_t> mount_of_descriptor(const std::string& process, int number)
{
    constexpr std::string_view label = "mnt_id:";
    constexpr size_t largest = 64 << 10;
    std::string text = TRY(kernel::read_file(kernel::working_directory, fmt::format("{}/fdinfo/{}", process, number), largest));
    for (auto line : split(text, '\n'))
        if (line.starts_with(label))
            return parse_unsigned(trim(line.substr(label.size())));
    return failure(ErrorKind::internal, "fdinfo has no mnt_id");
}

} // namespace

Result<std::vector<std::string>> standard_stream_names(pid_t pid)
{
    std::string process = fmt::format("/proc/{}", pid);
    auto mounts = TRY(kernel::read_mount_table(std::to_string(pid)));
    std::vector<std::string> names;
    for (int number : {0, 1, 2}) {
        std::string link = fmt::format("{}/fd/{}", process, number);
        auto target = kernel::read_link(kernel::working_directory, link);
        names.push_back(target ? *target : "");
        if (!target)
            continue; // closed
        struct stat status = TRY(kernel::status_at(kernel::working_directory, link, 0));
        if (!S_ISREG(status.st_mode))
            continue; // pipes are named by their link; /dev/null is the container's own
        uint64_t mount = TRY(mount_of_descriptor(process, number));
        if (std::ranges::find(mounts, mount, &kernel::MountEntry::id) == mounts.end())
            names.back() = fmt::format("file[{:x}:{:x}]", mount, status.st_ino);
    }
    return names;
}

Result<> write_stream_names(FdRef images, const std::vector<std::string>& names)
{
    return write_names(images, streams_file, names);
}

Result<std::vector<std::string>> read_stream_names(FdRef images)
{
    auto names = read_names(images, streams_file);
    if (!names && names.error().code() == ENOENT)
        return failure(std::move(names)
                           .error()
                           .during("open the checkpoint")
                           .with_hint("--image-path names the folder that `brig checkpoint` wrote"));
    return names;
}

Result<> write_mount_names(FdRef images, const std::vector<std::string>& names)
{
    return write_names(images, mounts_file, names);
}

Result<std::vector<std::string>> read_mount_names(FdRef images)
{
    if (!kernel::exists(images, mounts_file))
        return std::vector<std::string>();
    return read_names(images, mounts_file);
}

} // namespace brig::container
