// The probe's BPF programs as the running kernel takes them. libbpf reads the object file, fits it to the kernel's
// types and asks the kernel some twenty questions about itself: 3 ms, each time with the same outcome. So that outcome
// is kept (ProbeCache), and handed to the kernel as it is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "evidence/collectors/kernel_types.hpp"
#include "system/descriptor.hpp"

struct bpf_insn;

namespace lab::evidence {

// What bpf(2) is told: maps as BPF_MAP_CREATE wants them, programs as BPF_PROG_LOAD does.
struct ReadyMap {
  std::string name;
  std::uint32_t type = 0, key = 0, value = 0, entries = 0, flags = 0;
  std::uint32_t key_type = 0, value_type = 0;  // in `btf`, where the kernel asks for them
  std::string contents;                        // of constants
};
struct ReadyProgram {
  std::string name;
  std::string code;       // struct bpf_insn; a map stands in it as its place in `maps`
  std::string functions;  // struct bpf_func_info, where some are verified by themselves
};
struct ReadyPrograms {
  RawTypes kernel;  // the thin types
  std::string btf;  // the programs' own types, where they have functions
  std::vector<ReadyMap> maps;
  std::vector<ReadyProgram> programs;

  std::string to_bytes() const;
  static std::optional<ReadyPrograms> of(std::string_view bytes);  // nothing for bytes of another making
};

// An instruction that holds a map's descriptor.
bool refers_to_map(const bpf_insn& one);

// By the map's name, in place of its own.
using MapContents = std::map<std::string, std::string>;

// By libbpf, which loads those that are wanted once. Throws Unavailable with its complaint.
using WantedProgram = std::function<bool(std::string_view program, const KernelFacts& facts)>;
ReadyPrograms make_ready(const WantedProgram& wanted, const std::function<MapContents(const KernelFacts&)>& contents);

// In the kernel as long as this object lives; what is attached, longer.
class LoadedPrograms {
 public:
  // Throws KernelError.
  LoadedPrograms(const ReadyPrograms& ready, const MapContents& contents);
  int map(std::string_view name) const;
  bool has(std::string_view program) const;
  sys::Descriptor attach(std::string_view program, const char* tracepoint) const;

 private:
  void create(const ReadyMap& map, int types, const std::string& contents);
  void load(const ReadyProgram& program, int types);

  std::map<std::string, sys::Descriptor, std::less<>> maps_, programs_;
  std::vector<int> by_place_;
};

}  // namespace lab::evidence
