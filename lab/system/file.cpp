#include "system/file.hpp"

#include <unistd.h>

#include "system/error.hpp"

namespace lab::sys {

Descriptor open_file(const std::string& path, int flags, unsigned mode, int at) {
  return Descriptor(check(::openat(at, path.c_str(), flags | O_CLOEXEC, mode), path));
}

std::string read_all(int descriptor, std::string_view object, std::size_t limit) {
  std::string text;
  char piece[4096];
  while (true) {
    const auto got = ::read(descriptor, piece, sizeof piece);
    if (got == -1 && errno == EINTR) continue;
    if (check(got, object) == 0) return text;
    text.append(piece, static_cast<std::size_t>(got));
    if (text.size() > limit) throw LabError(std::string(object) + ": larger than " + std::to_string(limit) + " bytes");
  }
}

std::string read_file(const std::string& path, std::size_t limit) {
  return read_all(open_file(path, O_RDONLY).get(), path, limit);
}

void write_file(const std::string& path, std::string_view text, int at) {
  const auto file = open_file(path, O_WRONLY, 0, at);
  const auto written = check(::write(file.get(), text.data(), text.size()), path);
  if (static_cast<std::size_t>(written) != text.size()) throw LabError(path + ": written in part only");
}

void write_all(int descriptor, std::string_view bytes, std::string_view object) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor, bytes.data(), bytes.size());
    if (written == -1 && errno == EINTR) continue;
    bytes.remove_prefix(static_cast<std::size_t>(check(written, object)));
  }
}

}  // namespace lab::sys
