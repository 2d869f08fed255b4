#include "commands/newfile.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include "commands/commands.hpp"
#include "commands/invoker.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::commands {

namespace fs = std::filesystem;

fs::path place_for(const std::string& name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const fs::path path(name);
  const auto last = path.filename().string();
  if (last.empty() || last.find_first_not_of(kLetters) != last.npos || last.front() == '.' || last.front() == '-') {
    throw UsageError(fmt::format("'{}' is no name for a scenario", name), "letters, digits, '-', '_' and '.'");
  }
  if (path.has_parent_path()) return path.extension() == ".toml" ? path : fs::path(name + ".toml");
  const auto file = path.extension() == ".toml" ? last : last + ".toml";
  std::error_code none;
  return fs::is_directory("scenarios", none) ? fs::path("scenarios") / file : fs::path(file);
}

void must_be_new(const fs::path& file) {
  std::error_code none;
  if (fs::exists(fs::symlink_status(file, none))) throw UsageError(sys::KernelError(EEXIST, file.string()).what());
  const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, none)) throw UsageError(sys::KernelError(ENOENT, file.string()).what());
}

void write_new(const fs::path& file, std::string_view text, fs::perms permissions) {
  const AsInvoker rights;
  sys::Descriptor made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, static_cast<mode_t>(permissions)));
  if (!made.valid() && (errno == EEXIST || errno == ENOENT || errno == ENOTDIR)) {
    throw UsageError(sys::KernelError(errno, file.string()).what());
  }
  sys::check(made.get(), "create " + file.string());
  sys::write_all(made.get(), text, "write " + file.string());
}

void create_folders(const fs::path& file) {
  const AsInvoker rights;
  fs::create_directories(file.parent_path());
}

}  // namespace lab::commands
