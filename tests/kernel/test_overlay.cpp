// kernel/overlay.hpp: both ways to name the layers, on detached mounts.
#include "base/text.hpp"
#include "kernel/files.hpp"
#include "kernel/overlay.hpp"
#include "kernel/process.hpp"
#include "support/scratch.hpp"

#include <criterion/criterion.h>

using namespace brig;
using namespace brig::kernel;

namespace {

using Way = Result<Fd> (*)(const OverlayRequest&);

// Two layers with the separators of mount options in their names, and an upper directory.
OverlayRequest request_in(test::Scratch& scratch)
{
    for (const char* name : {"a:b", "c,d\\e", "upper", "work"})
        scratch.directory(name);
    scratch.write("a:b/both", "above");
    scratch.write("c,d\\e/both", "below");
    scratch.write("c,d\\e/one", "one");
    OverlayRequest request;
    request.lower = {scratch.path("a:b"), scratch.path("c,d\\e")};
    request.upper = scratch.path("upper");
    request.work = scratch.path("work");
    request.file_system.type = "overlay";
    request.file_system.source = "overlay";
    return request;
}

void check(Way way)
{
    test::Scratch scratch;
    auto request = request_in(scratch);
    auto before = current_directory();
    auto overlay = way(request);
    cr_assert(overlay.has_value(), "%s", overlay ? "" : overlay.error().message().c_str());
    cr_expect(read_file(*overlay, "both", 100).value() == "above");
    cr_expect(read_file(*overlay, "one", 100).value() == "one");
    cr_expect(make_directory(*overlay, "made", 0755).has_value());
    cr_expect(scratch.has("upper/made"));
    cr_expect(current_directory().value() == before.value());
}

} // namespace

Test(overlay, layer_by_layer)
{
    check(new_overlay_by_layers);
}

Test(overlay, layers_in_one_string)
{
    check(new_overlay_by_string);
}

Test(overlay, more_layers_than_the_string_holds)
{
    test::Scratch scratch;
    auto request = request_in(scratch);
    for (int count = 0; count < 200; count++)
        request.lower.push_back(request.lower.back());
    auto made = new_overlay_by_string(request);
    cr_assert_not(made.has_value());
    cr_expect(made.error().kind() == ErrorKind::not_supported);
    cr_expect(contains(made.error().message(), "Linux 6.8"));
}

Test(overlay, a_layer_that_is_missing_is_told)
{
    test::Scratch scratch;
    auto request = request_in(scratch);
    request.lower.push_back(scratch.path("missing"));
    auto made = new_overlay(request);
    cr_assert_not(made.has_value());
    cr_expect(contains(made.error().message(), "missing"), "%s", made.error().message().c_str());
}
