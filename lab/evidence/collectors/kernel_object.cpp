#include "evidence/collectors/kernel_object.hpp"

#ifdef LAB_BPF_MISSING

namespace lab::evidence {
std::string_view bpf_object_file() { return {}; }
std::string_view bpf_object_digest() { return {}; }
std::string bpf_missing() { return LAB_BPF_MISSING; }
}  // namespace lab::evidence

#else

// libbpf reads ELF headers in place: eight bytes of alignment.
asm(R"(
  .pushsection .rodata
  .balign 8
  .global lab_bpf_object_begin
  .global lab_bpf_object_end
lab_bpf_object_begin:
  .incbin ")" LAB_BPF_OBJECT R"("
lab_bpf_object_end:
  .global lab_bpf_object_digest
lab_bpf_object_digest:
  .incbin ")" LAB_BPF_OBJECT R"(.sha256", 0, 64
  .popsection
)");

extern "C" const char lab_bpf_object_begin[], lab_bpf_object_end[], lab_bpf_object_digest[];

namespace lab::evidence {
std::string_view bpf_object_file() { return {lab_bpf_object_begin, lab_bpf_object_end}; }
std::string_view bpf_object_digest() { return {lab_bpf_object_digest, 64}; }
std::string bpf_missing() { return {}; }
}  // namespace lab::evidence

#endif
