#include "sandbox/artifacts.hpp"
#include "sandbox/workspace.hpp"

#include <criterion/criterion.h>

using namespace brig::sandbox;

Test(workspace, paths)
{
    cr_assert_eq(path_in_workspace("a/b").value(), "a/b");
    cr_assert_eq(path_in_workspace("/workspace/a//b/./c/").value(), "a/b/c");
    cr_assert_eq(path_in_workspace("").value(), "");
    cr_assert_eq(path_in_workspace("/workspace").value(), "");
    cr_assert_eq(path_in_workspace("a/..b").value(), "a/..b");
    for (std::string_view path : {"..", "../x", "a/../b", "/etc/passwd", "/workspace/../etc", "/workspaces", "/"})
        cr_assert_not(path_in_workspace(path).has_value());
    cr_assert_not(path_in_workspace(std::string_view("a\0b", 3)).has_value());
}

Test(artifacts, types)
{
    cr_assert_eq(artifact_type("a/plot.PNG", {}), "image/png");
    cr_assert_eq(artifact_type("x.tar.json", {}), "application/json");
    for (std::string_view path : {"run.sh", "png", ".png", "a.png/b", "x.", "x.exe", "x.js", ""})
        cr_assert_eq(artifact_type(path, {}), "");
}

Test(artifacts, types_that_a_policy_allows)
{
    brig::policy::Artifacts allowed;
    allowed.extensions = {".png", ".parquet"};
    cr_assert_eq(artifact_type("a.parquet", allowed), "application/octet-stream");
    cr_assert_eq(artifact_type("a.png", allowed), "image/png");
    cr_assert_eq(artifact_type("a.txt", allowed), "");
    cr_assert_eq(artifact_type("a", allowed), "");
    allowed.mime_types = {"image/*"};
    cr_assert_eq(artifact_type("a.png", allowed), "image/png");
    cr_assert_eq(artifact_type("a.parquet", allowed), "");
    cr_assert_eq(artifact_type("a.csv", {.mime_types = {{"text/csv"}}}), "text/csv");
    cr_assert_eq(artifact_type("a.json", {.mime_types = {{"text/*"}}}), "");
}
