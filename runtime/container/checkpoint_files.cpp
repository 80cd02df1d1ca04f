#include "container/checkpoint_files.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/mount_table.hpp"
#include "spec/vocabulary.hpp"

#include <algorithm>
#include <functional>
#include <sched.h>

namespace brig::container {

namespace {

constexpr const char* streams_file = "descriptors.json"; // runc's name and form
constexpr const char* mounts_file = "mounts.json";
constexpr const char* sizes_file = "sizes.json";
constexpr mode_t folder_mode = 0700;
constexpr size_t largest_list = 1 << 20;

Result<Fd> open_folder(const std::string& path)
{
    return kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY);
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
    return kernel::replace_file(images, streams_file, Json::strings(names).to_text(), 0600);
}

Result<std::vector<std::string>> read_stream_names(FdRef images)
{
    auto text = kernel::read_file(images, streams_file, largest_list);
    if (!text && text.error().code() == ENOENT)
        return failure(std::move(text)
                           .error()
                           .during("open the checkpoint")
                           .with_hint("--image-path names the folder that `brig checkpoint` wrote"));
    Json list = TRY_DURING(streams_file, Json::parse(TRY(std::move(text))));
    if (!list.view().is_array())
        return failure(ErrorKind::invalid, fmt::format("{} of the checkpoint is not a list", streams_file));
    std::vector<std::string> names;
    for (size_t index = 0; index < list.view().size(); index++)
        names.push_back(list.view().at(index).string());
    return names;
}

Result<> write_saved_mounts(FdRef images, const SavedMounts& mounts)
{
    Json added = Json::array();
    for (const auto& mount : mounts.added)
        added.append(std::move(
            Json::object().set("destination", Json::string(mount.name)).set("source", Json::string(mount.host_source))));
    Json flags = Json::array();
    for (const auto& mount : mounts.flags)
        flags.append(std::move(Json::object()
                                   .set("mountPoint", Json::string(mount.mount_point))
                                   .set("attributes", Json::unsigned_number(mount.attributes))));
    Json document = Json::object();
    document.set("external", Json::strings(mounts.names)).set("added", std::move(added)).set("flags", std::move(flags));
    return kernel::replace_file(images, mounts_file, document.to_text(), 0600);
}

namespace {

Result<> for_each_entry(JsonView list, const std::function<Result<>(JsonView)>& visit)
{
    for (size_t index = 0; list.is_array() && index < list.size(); index++)
        TRY(visit(list.at(index)));
    return {};
}

} // namespace

Result<SavedMounts> read_saved_mounts(FdRef images)
{
    SavedMounts saved;
    if (!kernel::exists(images, mounts_file))
        return saved;
    Json document = TRY_DURING(mounts_file, Json::parse(TRY(kernel::read_file(images, mounts_file, largest_list))));
    TRY(for_each_entry(document.view().member("external"), [&](JsonView entry) -> Result<> {
        saved.names.push_back(entry.string());
        return {};
    }));
    TRY(for_each_entry(document.view().member("added"), [&](JsonView entry) -> Result<> {
        saved.added.push_back({entry.member("destination").string(), entry.member("source").string()});
        return {};
    }));
    TRY(for_each_entry(document.view().member("flags"), [&](JsonView entry) -> Result<> {
        uint64_t attributes = TRY_DURING(mounts_file, entry.member("attributes").unsigned_integer());
        saved.flags.push_back({entry.member("mountPoint").string(), attributes});
        return {};
    }));
    return saved;
}

// ---- sizes -----------------------------------------------------------------------------------------------------------

Result<> write_image_sizes(FdRef images)
{
    Json sizes = Json::array();
    for (const auto& name : TRY(kernel::list_directory(images))) {
        if (!name.ends_with(".img"))
            continue;
        struct stat status = TRY(kernel::status_at(images, name, AT_SYMLINK_NOFOLLOW));
        sizes.append(std::move(Json::object().set("name", Json::string(name)).set("size", Json::number(status.st_size))));
    }
    return kernel::replace_file(images, sizes_file, sizes.to_text(), 0600);
}

Result<> check_image_sizes(FdRef images)
{
    if (!kernel::exists(images, sizes_file))
        return {};
    Json sizes = TRY_DURING(sizes_file, Json::parse(TRY(kernel::read_file(images, sizes_file, largest_list))));
    return for_each_entry(sizes.view(), [&](JsonView entry) -> Result<> {
        std::string name = entry.member("name").string();
        int64_t saved = TRY_DURING(sizes_file, entry.member("size").signed_integer());
        auto status = kernel::status_at(images, name, AT_SYMLINK_NOFOLLOW);
        if (status && status->st_size == saved)
            return {};
        auto found = status ? fmt::format("has {} bytes instead of {}", status->st_size, saved) : std::string("is missing");
        return failure(Error(ErrorKind::invalid, fmt::format("the checkpoint is damaged: {} {}", one_line(name), found))
                           .with_hint("copy it again from where it was made"));
    });
}

} // namespace brig::container
