#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "evidence/collectors/kernel_types.hpp"

namespace lab::evidence {
namespace {

constexpr std::string_view magic = "lab-bpf 1\n";
constexpr std::size_t most = 1 << 20;  // bytes; the programs with what they need have some fifty thousand

// Finds accidents (a torn write, another kernel), not attackers; those are kept out by ownership. Like FNV-1a, but for
// eight bytes at a time: it goes over what is kept in every run.
std::uint64_t hash(std::string_view bytes) {
  constexpr std::uint64_t prime = 1099511628211u;
  std::uint64_t h = 14695981039346656037u ^ bytes.size();
  for (std::uint64_t word = 0; !bytes.empty(); bytes.remove_prefix(std::min(sizeof word, bytes.size()))) {
    word = 0;
    std::memcpy(&word, bytes.data(), std::min(sizeof word, bytes.size()));
    h = (h ^ word) * prime;
    h ^= h >> 32;
  }
  return h;
}

std::string read_all(int fd) {
  std::string bytes;
  char buffer[16384];
  while (bytes.size() <= most) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  return bytes;
}

// Nobody but this user and root can have put it there.
bool trusted(int fd, mode_t kind) {
  struct stat s {};
  if (::fstat(fd, &s) != 0) return false;
  return (s.st_mode & S_IFMT) == kind && (s.st_uid == 0 || s.st_uid == ::geteuid()) && (s.st_mode & 022) == 0;
}

sys::Descriptor open_folder(const std::filesystem::path& folder, bool create) {
  if (folder.empty()) return {};
  if (create) {
    std::error_code ignored;
    std::filesystem::create_directory(folder.parent_path(), ignored);
    ::mkdir(folder.c_str(), 0755);
  }
  sys::Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  return fd.valid() && trusted(fd.get(), S_IFDIR) ? std::move(fd) : sys::Descriptor();
}

std::string file_name(std::string_view key) { return fmt::format("bpf-{:016x}", hash(key)); }

std::string head(std::string_view key, const std::string& made) {
  return fmt::format("{}{:016x} {:08x}\n", magic, hash(key) ^ hash(made), made.size());
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

std::filesystem::path ProbeCache::usual_folder() {
  if (::geteuid() == 0) return "/var/cache/lab";
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/')
    return std::filesystem::path(cache) / "lab";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return std::filesystem::path(home) / ".cache/lab";
  return {};
}

std::string ProbeCache::find(std::string_view key) const {
  const auto folder = open_folder(folder_, false);
  if (!folder.valid()) return {};
  const sys::Descriptor file(
      ::openat(folder.get(), file_name(key).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid() || !trusted(file.get(), S_IFREG)) return {};
  const auto bytes = read_all(file.get());
  const auto length = head(key, {}).size();
  if (bytes.size() <= length || bytes.size() > most) return {};
  auto made = bytes.substr(length);
  return bytes.starts_with(head(key, made)) ? made : std::string();
}

// Written aside and renamed: a reader sees a whole file or none.
bool ProbeCache::keep(std::string_view key, const std::string& made) const {
  const auto folder = open_folder(folder_, true);
  if (!folder.valid()) return false;
  const auto aside = fmt::format(".{}.{}", file_name(key), ::getpid());
  sys::Descriptor file(
      ::openat(folder.get(), aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.valid()) return false;
  const bool kept = ::fchmod(file.get(), 0644) == 0 && write_all(file.get(), head(key, made) + made) &&
                    ::renameat(folder.get(), aside.c_str(), folder.get(), file_name(key).c_str()) == 0;
  if (!kept) ::unlinkat(folder.get(), aside.c_str(), 0);
  return kept;
}

std::string probe_key(std::string_view object, std::string_view copied) {
  utsname names{};
  ::uname(&names);
  std::string key =
      fmt::format("{} {} {} {:016x} {} ", names.release, names.version, names.machine, hash(object), copied);
  const sys::Descriptor notes(::open("/sys/kernel/notes", O_RDONLY | O_CLOEXEC));  // the build id is in there
  if (notes.valid()) key += read_all(notes.get());
  return key;
}

}  // namespace lab::evidence
