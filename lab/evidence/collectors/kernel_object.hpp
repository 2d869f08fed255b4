// The compiled BPF programs, embedded in the program.
#pragma once

#include <string>
#include <string_view>

namespace lab::evidence {

// The ELF file's bytes; empty where the build had no BPF.
std::string_view bpf_object_file();
// Why it is empty: "built without BPF (no clang)"; "" where it is not.
std::string bpf_missing();

}  // namespace lab::evidence
