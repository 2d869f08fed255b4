// The program's version, from CMake's project().
#pragma once

namespace lab {
inline constexpr const char* kVersion = LAB_VERSION;
}
