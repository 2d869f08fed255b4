// Small files, whole. Paths of /proc and /sys for the most part: no size is known before they are read.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "system/descriptor.hpp"

namespace lab::sys {

// Close-on-exec is always added. `at`: a folder's descriptor that a relative path starts from. Throws KernelError that
// names the path.
Descriptor open_file(const std::string& path, int flags, unsigned mode = 0, int at = AT_FDCWD);

// At most `limit` bytes; a longer file throws LabError.
std::string read_file(const std::string& path, std::size_t limit = std::size_t{1} << 20);
// To its end from where it stands.
std::string read_all(int descriptor, std::string_view object, std::size_t limit = std::size_t{1} << 20);

// One write(2) to an existing file, as files of /proc and cgroups want it. A short write throws LabError.
void write_file(const std::string& path, std::string_view text, int at = AT_FDCWD);

// All of it, however many calls it takes.
void write_all(int descriptor, std::string_view bytes, std::string_view object);

}  // namespace lab::sys
