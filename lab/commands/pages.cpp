#include "commands/pages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::commands {

namespace fs = std::filesystem;

std::string cause_page(const std::string& cause) {
  auto flat = cause;
  std::replace(flat.begin(), flat.end(), '/', '-');
  std::error_code none;
  const auto beside = fs::read_symlink("/proc/self/exe", none).parent_path();
  const auto prefix = beside.parent_path();
  // The source tree, an installed prefix, a build tree elsewhere.
  for (const auto& folder : {prefix / "docs/causes", prefix / "share/lab/causes", beside / "share/lab/causes"}) {
    const auto file = folder / (flat + ".md");
    if (fs::is_regular_file(file, none)) return sys::read_file(file.string());
  }
  throw sys::LabError(fmt::format("the page of {} is not in {}", cause, (prefix / "share/lab/causes").string()));
}

}  // namespace lab::commands
