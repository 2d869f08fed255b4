// libbpf's part: from the object file to what the running kernel takes.
#ifndef LAB_BPF_MISSING

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>

#include "evidence/collectors/kernel_object.hpp"
#include "evidence/collectors/kernel_programs.hpp"
#include "system/error.hpp"

namespace lab::evidence {
namespace {

// libbpf speaks through one function for the whole process: the first complaint is the reason.
thread_local std::string complaint;
int keep_complaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN || !complaint.empty()) return 0;
  char line[256];
  std::vsnprintf(line, sizeof line, format, arguments);
  complaint = line;
  while (!complaint.empty() && complaint.back() == '\n') complaint.pop_back();
  return 0;
}

[[noreturn]] void refuse(int error, std::string_view what) {
  const auto reason = error == EPERM ? "needs root (CAP_BPF and CAP_PERFMON)" : complaint;
  throw sys::Unavailable(fmt::format("{}: {}{}{}", what, sys::errno_name(error), reason.empty() ? "" : ": ", reason));
}

struct Close {
  void operator()(bpf_object* o) const { bpf_object__close(o); }
  void operator()(btf* b) const { btf__free(b); }
};
using Object = std::unique_ptr<bpf_object, Close>;

ReadyMap ready(const bpf_map& map) {
  ReadyMap made{.name = bpf_map__name(&map),
                .type = static_cast<std::uint32_t>(bpf_map__type(&map)),
                .key = bpf_map__key_size(&map),
                .value = bpf_map__value_size(&map),
                .entries = bpf_map__max_entries(&map),
                .flags = bpf_map__map_flags(&map)};
  if (made.type == BPF_MAP_TYPE_TASK_STORAGE) {
    made.key_type = bpf_map__btf_key_type_id(&map);
    made.value_type = bpf_map__btf_value_type_id(&map);
  }
  size_t size = 0;
  const auto* at = static_cast<const char*>(bpf_map__initial_value(const_cast<bpf_map*>(&map), &size));
  if (at && made.flags & BPF_F_RDONLY_PROG) made.contents.assign(at, size);
  return made;
}

// Maps by the descriptors that stand for them in the code; those that no program uses are left out.
class Maps {
 public:
  Maps(const bpf_object& object, std::vector<ReadyMap>& made) : made_(made) {
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, &object) by_descriptor_.emplace(bpf_map__fd(map), map);
  }
  int place_of(int descriptor) {
    const auto [at, fresh] = places_.emplace(descriptor, static_cast<int>(made_.size()));
    if (fresh) made_.push_back(ready(*by_descriptor_.at(descriptor)));
    return at->second;
  }

 private:
  std::vector<ReadyMap>& made_;
  std::map<int, const bpf_map*> by_descriptor_;
  std::map<int, int> places_;
};

std::string code_of(const bpf_program& program, Maps& maps) {
  const auto* begin = bpf_program__insns(&program);
  std::vector<bpf_insn> code(begin, begin + bpf_program__insn_cnt(&program));
  for (auto& one : code)
    if (refers_to_map(one)) one.imm = maps.place_of(one.imm);
  return {reinterpret_cast<const char*>(code.data()), code.size() * sizeof(bpf_insn)};
}

// Where its functions begin, itself first: what is called by a distance.
std::set<std::uint32_t> begins_of(const bpf_program& program) {
  std::set<std::uint32_t> begins{0};
  const auto* code = bpf_program__insns(&program);
  for (std::uint32_t i = 0; i < bpf_program__insn_cnt(&program); ++i)
    if (code[i].code == (BPF_JMP | BPF_CALL) && code[i].src_reg == BPF_PSEUDO_CALL)
      begins.insert(i + 1 + static_cast<std::uint32_t>(code[i].imm));
  return begins;
}

// The kernel tells their types in the same order; where they begin, only as it has rewritten them.
std::string functions_of(const bpf_program& program, std::string& btf) {
  const auto begins = begins_of(program);
  if (begins.size() == 1) return {};
  std::vector<bpf_func_info> functions(begins.size());
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  info.nr_func_info = static_cast<std::uint32_t>(functions.size());
  info.func_info_rec_size = sizeof(bpf_func_info);
  info.func_info = reinterpret_cast<std::uintptr_t>(functions.data());
  if (bpf_obj_get_info_by_fd(bpf_program__fd(&program), &info, &size)) refuse(errno, "asking about a BPF program");
  if (info.nr_func_info != functions.size())
    throw sys::Unavailable(fmt::format("BPF program {}: the kernel left functions out", bpf_program__name(&program)));
  std::transform(begins.begin(), begins.end(), functions.begin(), functions.begin(),
                 [](std::uint32_t begin, bpf_func_info one) {
                   return bpf_func_info{begin, one.type_id};
                 });
  if (btf.empty()) {
    const std::unique_ptr<struct btf, Close> loaded(btf__load_from_kernel_by_id(info.btf_id));
    if (!loaded) refuse(errno, "asking for the BPF programs' types");
    std::uint32_t length = 0;
    const auto* raw = static_cast<const char*>(btf__raw_data(loaded.get(), &length));
    btf.assign(raw, length);
  }
  return {reinterpret_cast<const char*>(functions.data()), functions.size() * sizeof(bpf_func_info)};
}

void fill(const bpf_object& object, const MapContents& contents) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, &object) {
    const auto given = contents.find(bpf_map__name(map));
    size_t size = 0;
    void* at = given == contents.end() ? nullptr : const_cast<void*>(bpf_map__initial_value(map, &size));
    if (at) std::memcpy(at, given->second.data(), std::min(size, given->second.size()));
  }
}

}  // namespace

ReadyPrograms make_ready(const WantedProgram& wanted, const std::function<MapContents(const KernelFacts&)>& contents) {
  complaint.clear();
  libbpf_set_print(keep_complaint);
  // libbpf takes the types it fits the programs to as a file, and reads it when it loads.
  const sys::Descriptor types(sys::check(::memfd_create("lab-btf", MFD_CLOEXEC), "memfd for BTF"));
  const auto path = fmt::format("/proc/self/fd/{}", types.get());
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.object_name = "lab";
  options.btf_custom_path = path.c_str();
  const auto file = bpf_object_file();
  const Object object(bpf_object__open_mem(file.data(), file.size(), &options));
  if (!object) refuse(errno, "BPF object");

  ReadyPrograms made{.kernel = thin_types(*bpf_object__btf(object.get())), .btf = {}, .maps = {}, .programs = {}};
  sys::check(::write(types.get(), made.kernel.data(), made.kernel.size()), "memfd for BTF");
  const auto facts = KernelFacts::of(made.kernel);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object.get())
      bpf_program__set_autoload(program, wanted(bpf_program__name(program), facts));
  fill(*object, contents(facts));
  if (bpf_object__load(object.get()) != 0) refuse(errno, "loading BPF programs");

  Maps maps(*object, made.maps);
  bpf_object__for_each_program(program, object.get()) if (bpf_program__autoload(program))
      made.programs.push_back({bpf_program__name(program), code_of(*program, maps), functions_of(*program, made.btf)});
  return made;
}

}  // namespace lab::evidence

#endif
