#include "scenario/files.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "scenario/kinds.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::scenario {
namespace {

// O_NONBLOCK: a FIFO of that name must not stop the lab.
sys::Descriptor open_beneath(int folder, const std::string& name) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto number = sys::check(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how), name);
  return sys::Descriptor(static_cast<int>(number));
}

bool is_absent(const sys::KernelError& error) {
  return error.code().value() == ENOENT || error.code().value() == ENOTDIR;
}

std::string reason(const sys::KernelError& error) {
  if (error.code().value() == EXDEV) return "it leads out of its folder";
  return error.code().message();
}

struct stat status_of(int descriptor, const std::string& path) {
  struct stat status {};
  sys::check(::fstat(descriptor, &status), path);
  return status;
}

}  // namespace

std::optional<Found> file_beneath(Reading& reading, const std::filesystem::path& folder, const std::string& name,
                                  const Place& place) {
  const auto path = (folder / name).lexically_normal().string();
  try {
    const auto root = sys::open_file(folder.empty() ? "." : folder.string(), O_PATH | O_DIRECTORY);
    const auto file = open_beneath(root.get(), name);
    if (!S_ISREG(status_of(file.get(), path).st_mode)) {
      reading.mistake(place, path + " is no regular file");
      return {};
    }
    return Found{path, sys::read_all(file.get(), path, kFileBytes)};
  } catch (const sys::KernelError& error) {
    if (!is_absent(error)) reading.mistake(place, path + " can't be read: " + reason(error));
  } catch (const sys::LabError& error) {
    reading.mistake(place, error.what());
  }
  return {};
}

std::optional<std::string> file_text(std::vector<Mistake>& mistakes, const std::filesystem::path& path) {
  try {
    const auto file = sys::open_file(path.string(), O_RDONLY | O_NOCTTY);
    return sys::read_all(file.get(), path.string(), kFileBytes);
  } catch (const sys::KernelError& error) {
    mistakes.push_back({{path.string()}, "can't be read: " + error.code().message(), ""});
  } catch (const sys::LabError& error) {
    mistakes.push_back({{path.string()}, error.what(), ""});
  }
  return {};
}

std::vector<std::string> file_names(const std::vector<std::filesystem::path>& folders, std::string_view suffix,
                                    bool cut) {
  std::vector<std::string> names;
  for (const auto& folder : folders) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
      auto name = at->path().filename().string();
      if (!name.ends_with(suffix) || name.size() == suffix.size()) continue;
      if (cut) name.resize(name.size() - suffix.size());
      names.push_back(std::move(name));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace lab::scenario
