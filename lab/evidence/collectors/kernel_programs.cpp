#include "evidence/collectors/kernel_programs.hpp"

#ifndef LAB_BPF_MISSING

#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "system/error.hpp"

namespace lab::evidence {
namespace {

// The kernel wants what it does not know of the structure to be zero: only as much is passed as a command needs.
int bpf(bpf_cmd command, bpf_attr& how, std::size_t size, const std::string& object) {
  return static_cast<int>(sys::check(::syscall(SYS_bpf, command, &how, size), object));
}
template <class Pointer>
std::uint64_t address(Pointer* of) {
  return reinterpret_cast<std::uintptr_t>(of);
}

constexpr std::size_t end_of(std::size_t offset, std::size_t size) { return offset + size; }
#define UP_TO(member) end_of(offsetof(bpf_attr, member), sizeof(bpf_attr{}.member))

sys::Descriptor load_types(const std::string& btf) {
  if (btf.empty()) return {};
  bpf_attr how{};
  how.btf = address(btf.data());
  how.btf_size = static_cast<std::uint32_t>(btf.size());
  return sys::Descriptor(bpf(BPF_BTF_LOAD, how, UP_TO(btf_log_level), "loading the BPF programs' types"));
}

void set_name(char (&to)[BPF_OBJ_NAME_LEN], const std::string& name) {
  if (name.find('.') == name.npos) name.copy(to, sizeof to - 1);
}

}  // namespace

bool refers_to_map(const bpf_insn& one) {
  return one.code == (BPF_LD | BPF_IMM | BPF_DW) &&
         (one.src_reg == BPF_PSEUDO_MAP_FD || one.src_reg == BPF_PSEUDO_MAP_VALUE);
}

LoadedPrograms::LoadedPrograms(const ReadyPrograms& ready, const MapContents& contents) {
  const auto types = load_types(ready.btf);
  for (const auto& one : ready.maps) {
    const auto given = contents.find(one.name);
    create(one, types.get(), given == contents.end() ? one.contents : given->second);
  }
  for (const auto& one : ready.programs) load(one, types.get());
}

void LoadedPrograms::create(const ReadyMap& map, int types, const std::string& contents) {
  bpf_attr how{};
  how.map_type = map.type;
  how.key_size = map.key;
  how.value_size = map.value;
  how.max_entries = map.entries;
  how.map_flags = map.flags;
  set_name(how.map_name, map.name);
  if (map.value_type) {
    how.btf_fd = static_cast<std::uint32_t>(types);
    how.btf_key_type_id = map.key_type;
    how.btf_value_type_id = map.value_type;
  }
  sys::Descriptor made(bpf(BPF_MAP_CREATE, how, UP_TO(btf_value_type_id), "BPF map " + map.name));
  if (!contents.empty()) {
    std::string whole = contents;
    whole.resize(map.value);
    const std::uint32_t first = 0;
    bpf_attr put{};
    put.map_fd = static_cast<std::uint32_t>(made.get());
    put.key = address(&first);
    put.value = address(whole.data());
    bpf(BPF_MAP_UPDATE_ELEM, put, UP_TO(flags), "contents of BPF map " + map.name);
  }
  if (map.flags & BPF_F_RDONLY_PROG) {  // the verifier takes a frozen map's values for constants
    bpf_attr freeze{};
    freeze.map_fd = static_cast<std::uint32_t>(made.get());
    bpf(BPF_MAP_FREEZE, freeze, UP_TO(map_fd), "freezing BPF map " + map.name);
  }
  by_place_.push_back(made.get());
  maps_.emplace(map.name, std::move(made));
}

void LoadedPrograms::load(const ReadyProgram& program, int types) {
  std::vector<bpf_insn> code(program.code.size() / sizeof(bpf_insn));
  std::memcpy(code.data(), program.code.data(), code.size() * sizeof(bpf_insn));
  for (auto& one : code)
    if (refers_to_map(one)) one.imm = by_place_.at(static_cast<std::size_t>(one.imm));
  bpf_attr how{};
  how.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
  how.insns = address(code.data());
  how.insn_cnt = static_cast<std::uint32_t>(code.size());
  how.license = address("GPL");
  set_name(how.prog_name, program.name);
  if (!program.functions.empty()) {
    how.prog_btf_fd = static_cast<std::uint32_t>(types);
    how.func_info = address(program.functions.data());
    how.func_info_rec_size = sizeof(bpf_func_info);
    how.func_info_cnt = static_cast<std::uint32_t>(program.functions.size() / sizeof(bpf_func_info));
  }
  programs_.emplace(program.name,
                    sys::Descriptor(bpf(BPF_PROG_LOAD, how, UP_TO(func_info_cnt), "BPF program " + program.name)));
}

int LoadedPrograms::map(std::string_view name) const {
  const auto found = maps_.find(name);
  if (found == maps_.end()) throw sys::LabError(fmt::format("the BPF object has no map {}", name));
  return found->second.get();
}

bool LoadedPrograms::has(std::string_view program) const { return programs_.contains(program); }

sys::Descriptor LoadedPrograms::attach(std::string_view program, const char* tracepoint) const {
  bpf_attr how{};
  how.raw_tracepoint.name = address(tracepoint);
  how.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(programs_.find(program)->second.get());
  return sys::Descriptor(
      bpf(BPF_RAW_TRACEPOINT_OPEN, how, UP_TO(raw_tracepoint.prog_fd), fmt::format("attaching to {}", tracepoint)));
}

}  // namespace lab::evidence

#endif
