// Bundles of images: one whose files are its own (unpack), and one that stands on the store's layers (bundle).
#include "base/rollback.hpp"
#include "base/text.hpp"
#include "command/globals.hpp"
#include "command/image/verbs.hpp"
#include "command/inherited.hpp"
#include "image/tool/copy_image.hpp"
#include "kernel/files.hpp"

#include <array>
#include <cerrno>

namespace brig::command {

namespace {

#define BRIG_PROCESS_OPTIONS                                                                                                     \
    Option{"tty", 't', OptionType::flag, "", "the process gets a terminal"},                                                     \
        Option{"env", 'e', OptionType::list, "NAME=VALUE", "add to its environment; may be repeated"},                           \
        Option{"user", 'u', OptionType::text, "USER[:GROUP]", "run it as this user, a name of the image or a number"},           \
        Option{"cwd", 0, OptionType::text, "DIR", "its working directory"},                                                      \
        Option{"entrypoint", 0, OptionType::text, "FILE", "run this instead of the image's entry point"},                        \
        Option{"read-only", 0, OptionType::flag, "", "nothing can be written to the image's files"}, store_option, json_option

constexpr std::array unpack_options = {BRIG_PROCESS_OPTIONS};
constexpr std::array bundle_options = {
    Option{"upper", 0, OptionType::text, "WHERE",
           "what is written goes to: directory (of the bundle), tmpfs[:SIZE] or none (default: directory)"},
    BRIG_PROCESS_OPTIONS};

class NewBundle {
public:
    static Result<NewBundle> make(const std::string& path)
    {
        auto made = kernel::make_directory(kernel::working_directory, path, 0755);
        bool existed = !made && made.error().code() == EEXIST;
        if (!made && !existed)
            return failure(std::move(made).error());
        Fd folder = TRY(kernel::open_at(kernel::working_directory, path, O_RDONLY | O_DIRECTORY));
        if (existed && !TRY(kernel::list_directory(folder)).empty())
            return failure(Error(ErrorKind::already_exists, fmt::format("{} is there and not empty", quoted(path)))
                               .with_hint("name a folder that does not exist"));
        return NewBundle(path, std::move(folder), existed);
    }

    FdRef folder() const { return m_folder; }
    const std::string& path() const { return m_path; }

    Result<Fd> make_directory(const std::string& name, mode_t mode) const
    {
        TRY(kernel::make_directory(m_folder, name, mode));
        return kernel::open_at(m_folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    }

    // What was begun.
    void remove() const
    {
        if (!m_existed)
            return (void)kernel::remove_tree(kernel::working_directory, m_path);
        for (const char* name : {"rootfs", "upper", "work", "config.json"})
            (void)kernel::remove_tree(m_folder, name);
    }

private:
    NewBundle(std::string path, Fd folder, bool existed)
        : m_path(std::move(path)), m_folder(std::move(folder)), m_existed(existed)
    {
    }
    std::string m_path;
    Fd m_folder;
    bool m_existed;
};

image::SpecRequest spec_request(const Invocation& invocation)
{
    image::SpecRequest request;
    const auto& operands = invocation.arguments.operands();
    request.process = process_of_options(invocation.arguments, {operands.begin() + 2, operands.end()});
    request.read_only = invocation.arguments.flag("read-only");
    request.rootless = !is_host_root();
    return request;
}

Result<> write_config(const NewBundle& bundle, const image::Image& image, const image::Store& store,
                      const image::SpecRequest& request)
{
    Json spec = TRY(image::make_spec(image, store.attributes(), request));
    return kernel::replace_file(bundle.folder(), "config.json", spec.to_text(true) + "\n", 0644);
}

Result<> report(const Invocation& invocation, const NewBundle& bundle, const image::Image& image)
{
    if (!invocation.arguments.flag("json"))
        return {};
    Json json = Json::object();
    json.set("bundle", Json::string(bundle.path())).set("digest", Json::string(image.digest));
    return print_json(json);
}

// ---- unpack --------------------------------------------------------------------------------------------------------------

Result<int> run_unpack(const Invocation& invocation)
{
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    auto image = TRY(writer.store().find(invocation.operand(0)));
    image::SpecRequest request = spec_request(invocation);
    request.overlay = false;
    NewBundle bundle = TRY(NewBundle::make(TRY(absolute_path(invocation.operand(1)))));
    Rollback undo;
    undo.add([&] { bundle.remove(); });
    TRY(write_config(bundle, image, writer.store(), request));
    Fd root = TRY(bundle.make_directory("rootfs", 0755));
    TRY_DURING("unpack the image", image::copy_image(image, writer.store().attributes(), root));
    undo.keep();
    TRY(report(invocation, bundle, image));
    return 0;
}

// ---- bundle --------------------------------------------------------------------------------------------------------------

Result<image::Upper> upper_from(const Arguments& arguments, const NewBundle& bundle)
{
    std::string text = arguments.text("upper", "directory");
    image::Upper upper;
    if (text == "none") {
        upper.kind = image::Upper::Kind::none;
    } else if (text == "directory") {
        upper.kind = image::Upper::Kind::directory;
        upper.upper_directory = join_path(bundle.path(), "upper");
        upper.work_directory = join_path(bundle.path(), "work");
    } else if (text == "tmpfs" || text.starts_with("tmpfs:")) {
        upper.kind = image::Upper::Kind::tmpfs;
        upper.tmpfs_size = text == "tmpfs" ? "1g" : text.substr(text.find(':') + 1);
    } else {
        return failure(Error(ErrorKind::invalid, fmt::format("--upper {} is unknown", quoted(text)))
                           .with_hint("directory, tmpfs, tmpfs:SIZE or none"));
    }
    return upper;
}

Result<int> run_bundle(const Invocation& invocation)
{
    auto writer = TRY(open_store_writer(invocation, image::StoreUse::add));
    auto image = TRY(writer.store().find(invocation.operand(0)));
    image::SpecRequest request = spec_request(invocation);
    NewBundle bundle = TRY(NewBundle::make(TRY(absolute_path(invocation.operand(1)))));
    Rollback undo;
    undo.add([&] { bundle.remove(); });
    request.upper = TRY(upper_from(invocation.arguments, bundle));
    if (request.upper.kind == image::Upper::Kind::directory) {
        Fd upper = TRY(bundle.make_directory("upper", 0755));
        TRY(image::copy_root_metadata(image, writer.store().attributes(), upper));
        (void)TRY(bundle.make_directory("work", 0700));
    }
    (void)TRY(bundle.make_directory("rootfs", 0755));
    // Known before it is there: who removes images looks for it.
    TRY(writer.remember_bundle(join_path(bundle.path(), "config.json")));
    TRY(write_config(bundle, image, writer.store(), request));
    undo.keep();
    TRY(report(invocation, bundle, image));
    return 0;
}

} // namespace

constinit const Verb image_unpack_verb = {
    .name = "unpack",
    .summary = "make a bundle with a copy of an image's files",
    .usage = "[options] IMAGE BUNDLE [--] [ARGUMENTS]",
    .description = "BUNDLE is a folder that is made: rootfs has the files, config.json the image's process. It needs the\n"
                   "store no more, and any runtime can run it.",
    .example = "  brig image unpack busybox /bundles/busybox\n  brig run -b /bundles/busybox box",
    .options = unpack_options,
    .least_operands = 2,
    .most_operands = any_number,
    .run = run_unpack,
};

constinit const Verb image_bundle_verb = {
    .name = "bundle",
    .summary = "make a bundle that stands on an image's layers",
    .usage = "[options] IMAGE BUNDLE [--] [ARGUMENTS]",
    .description = "BUNDLE is a folder that is made. Nothing is copied: config.json has an overlay of the store's layers as\n"
                   "root. While the bundle is there the image cannot be removed.",
    .example = "  brig image bundle busybox /bundles/busybox\n  brig run -b /bundles/busybox box",
    .options = bundle_options,
    .least_operands = 2,
    .most_operands = any_number,
    .run = run_bundle,
};

} // namespace brig::command
