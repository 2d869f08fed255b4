// The compiled BPF programs, embedded in the program.
#pragma once

#include <string>
#include <string_view>

namespace lab::evidence {

// The ELF file's bytes; empty where the build had no BPF.
std::string_view bpf_object_file();
// Of those bytes, made by the build: SHA-256, in hexadecimal.
std::string_view bpf_object_digest();
// Why it is empty: "built without BPF (no clang)"; "" where it is not.
std::string bpf_missing();

}  // namespace lab::evidence
