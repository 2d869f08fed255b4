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
  const auto prefix = fs::read_symlink("/proc/self/exe", none).parent_path().parent_path();
  for (const auto* folder : {"docs/causes", "share/doc/lab/causes", "share/lab/causes"}) {
    for (const auto& name : {cause, flat}) {
      const auto file = prefix / folder / (name + ".md");
      if (fs::is_regular_file(file, none)) return sys::read_file(file.string());
    }
  }
  throw sys::LabError(fmt::format("the page of {} is not in {}", cause, (prefix / "share/doc/lab/causes").string()));
}

}  // namespace lab::commands
