#include "base/text.hpp"
#include "image/config.hpp"
#include "image/digest.hpp"
#include "image/image_spec.hpp"
#include "image/store.hpp"

#include <criterion/criterion.h>
#include <vector>

using namespace brig;
using namespace brig::image;

namespace {

constexpr std::string_view hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

Config config_of(std::string_view execution)
{
    auto config = parse_config(fmt::format(
        R"({{"os":"linux","architecture":"amd64","config":{},"rootfs":{{"type":"layers","diff_ids":[]}}}})", execution));
    cr_assert(config.has_value(), "%s", config ? "" : config.error().message().c_str());
    return std::move(*config);
}

Image image_of(Config config)
{
    Image image;
    image.config = std::move(config);
    image.store = "/store";
    return image;
}

std::vector<std::string> args_of(const Image& image, const ProcessRequest& request)
{
    Json process = Json::object();
    auto applied = apply_to_process(process, image, OverlayAttributes::trusted, request);
    std::vector<std::string> args;
    if (!applied)
        return {applied.error().message()};
    for (size_t index = 0; index < process.view().member("args").size(); index++)
        args.push_back(process.view().member("args").at(index).string());
    return args;
}

} // namespace

Test(image_digest, only_sha256)
{
    cr_expect_eq(*digest_hex("sha256:" + std::string(hex)), hex);
    for (const std::string& wrong : std::vector<std::string>{
             "", std::string(hex), "sha256:", "sha256:../" + std::string(hex.substr(3)), "sha256:" + std::string(hex.substr(1)),
             "SHA256:" + std::string(hex), "sha256:A" + std::string(hex.substr(1)), "sha256:" + std::string(hex) + "0"})
        cr_expect(!digest_hex(wrong), "%s", wrong.c_str());
    cr_expect(digest_hex("sha512:00").error().kind() == ErrorKind::not_supported);
}

Test(image_names, become_file_names)
{
    cr_expect_eq(name_file("docker.io/library/python:3.11"), "names/docker.io%2flibrary%2fpython:3.11");
    cr_expect_eq(name_file(".x"), "names/%2ex");
    for (const char* good : {"a", "a/b:c@sha256", "..a", "registry.example:5000/x_y-z+1"})
        cr_expect(check_name(good).has_value(), "%s", good);
    for (const char* bad : {"", "/a", "a/", "a//b", "../a", "a/../b", "a b", "a%2fb", "-a", "a\n"})
        cr_expect(!check_name(bad), "%s", bad);
}

Test(image_platform, variants_fit_when_one_is_missing)
{
    Platform host{"linux", "arm64", "v8"};
    cr_expect(fits({"linux", "arm64", ""}, host) && fits({"linux", "arm64", "v8"}, host));
    cr_expect(!fits({"linux", "arm64", "v9"}, host) && !fits({"windows", "arm64", ""}, host)
              && !fits({"linux", "amd64", ""}, host));
}

Test(image_config, wrong_types_are_refused)
{
    auto refused = [](std::string_view text) { return !parse_config(text); };
    cr_expect(refused("[]") && refused("{}") && refused(R"({"rootfs":{"type":"files","diff_ids":[]}})"));
    cr_expect(refused(R"({"rootfs":{"type":"layers","diff_ids":["x"]}})"));
    for (const char* member :
         {R"("Env":"A=b")", R"("Env":["A"])", R"("Env":["=b"])", R"("Cmd":[1])", R"("User":1)", R"("Volumes":[])"})
        cr_expect(refused(fmt::format(R"({{"config":{{{}}},"rootfs":{{"type":"layers","diff_ids":[]}}}})", member)), "%s",
                  member);
}

Test(image_spec, entry_point_and_command)
{
    Image image = image_of(config_of(R"({"Entrypoint":["e"],"Cmd":["c","d"]})"));
    using Words = std::vector<std::string>;
    cr_expect((args_of(image, {}) == Words{"e", "c", "d"}));
    cr_expect((args_of(image, {.args = {"x"}}) == Words{"e", "x"}));
    cr_expect((args_of(image, {.entrypoint = "f"}) == Words{"f"}));
    cr_expect((args_of(image, {.args = {"x"}, .entrypoint = "f"}) == Words{"f", "x"}));
    cr_expect((args_of(image, {.args = {"x"}, .entrypoint = ""}) == Words{"x"}));
    cr_expect(contains(args_of(image_of(config_of("{}")), {}).front(), "names no program"));
}

Test(image_spec, overlay_paths_are_escaped)
{
    Image image = image_of(config_of("{}"));
    image.store = "/a:b,c\\d";
    Layer layer;
    layer.chain_id = "sha256:" + std::string(hex);
    image.layers = {layer, layer};
    Upper upper;
    auto mount = overlay_root(image, OverlayAttributes::user, upper);
    std::string lower = mount->view().member("options").at(0).string();
    cr_expect(lower.starts_with("lowerdir=/a\\:b\\,c\\\\d/layers/"), "%s", lower.c_str());
    cr_expect_eq(mount->view().member("options").at(1).string(), "tmpfs-upper=1g");
    cr_expect_eq(mount->view().member("options").at(2).string(), "userxattr");
}

Test(image_spec, the_kernel_wants_two_layers_without_an_upper)
{
    Image image = image_of(config_of("{}"));
    Layer layer;
    layer.chain_id = "sha256:" + std::string(hex);
    image.layers = {layer};
    Upper upper;
    upper.kind = Upper::Kind::none;
    std::string lower = overlay_root(image, OverlayAttributes::trusted, upper)->view().member("options").at(0).string();
    cr_expect(lower.ends_with("/diff:/store/bundle/rootfs"), "%s", lower.c_str());
}
