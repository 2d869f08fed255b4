#include "evidence/collectors/kernel_types.hpp"

#ifndef LAB_BPF_MISSING

#include <bpf/btf.h>
#include <errno.h>
#include <fmt/format.h>

#include <memory>
#include <set>

#include "system/error.hpp"

namespace lab::evidence {
namespace {

struct Free {
  void operator()(btf* b) const { btf__free(b); }
};
using Btf = std::unique_ptr<btf, Free>;

constexpr std::string_view tracepoint_prefix = "btf_trace_";
constexpr std::string_view drop_enum = "skb_drop_reason", reset_enum = "sk_rst_reason";
constexpr const char* tracepoints[] = {
    "kfree_skb",       "tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state",
    "signal_generate", "sys_enter",      "sys_exit",          "sched_process_exit"};

std::string_view name_of(const btf& types, std::uint32_t offset) {
  const char* name = btf__name_by_offset(&types, offset);
  return name ? name : "";
}

int checked(int result, const char* what) {
  if (result < 0) throw sys::KernelError(-result, what);
  return result;
}

// Copies types from the kernel's BTF, each once; a struct keeps only members with a wanted name.
class Copy {
 public:
  Copy(const btf& from, std::set<std::string, std::less<>> members)
      : from_(from), to_(btf__new_empty()), members_(std::move(members)) {
    if (!to_) throw sys::KernelError(errno, "an empty BTF");
    integer_ = checked(btf__add_int(to_.get(), "int", 4, BTF_INT_SIGNED), "BTF int");
  }

  int type(std::uint32_t id);
  void prototype(std::uint32_t id);
  RawTypes bytes() const {
    std::uint32_t size = 0;
    const void* data = btf__raw_data(to_.get(), &size);
    if (!data) throw sys::KernelError(ENOMEM, "BTF bytes");
    return {static_cast<const char*>(data), size};
  }

 private:
  struct Member {
    std::string name;
    int type;
    std::uint32_t offset, bits;
  };
  const btf_type& plain(std::uint32_t& id) const;
  int make(const btf_type& t);
  int make_record(const btf_type& t);
  int make_enum(const btf_type& t);

  const btf& from_;
  Btf to_;
  std::set<std::string, std::less<>> members_;
  std::map<std::uint32_t, int> made_;
  int integer_ = 0;
};

// Without const, volatile, typedef and type tags: what a relocation compares.
const btf_type& Copy::plain(std::uint32_t& id) const {
  const btf_type* t = btf__type_by_id(&from_, id);
  while (btf_is_mod(t) || btf_is_typedef(t) || btf_kind(t) == BTF_KIND_TYPE_TAG) {
    id = t->type;
    t = btf__type_by_id(&from_, id);
  }
  return *t;
}

int Copy::type(std::uint32_t id) {
  const btf_type& t = plain(id);
  if (const auto known = made_.find(id); known != made_.end()) return known->second;
  return made_[id] = checked(make(t), "BTF type");
}

int Copy::make(const btf_type& t) {
  const std::string name(name_of(from_, t.name_off));
  switch (btf_kind(&t)) {
    case BTF_KIND_INT:
      return btf__add_int(to_.get(), name.c_str(), t.size, btf_int_encoding(&t));
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      return make_enum(t);
    case BTF_KIND_ARRAY: {
      const struct btf_array* array = btf_array(&t);
      const int element = type(array->type);
      return btf__add_array(to_.get(), integer_, element, static_cast<int>(array->nelems));
    }
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
      return make_record(t);
    case BTF_KIND_FLOAT:
      return btf__add_float(to_.get(), name.c_str(), t.size);
    default:  // pointers are followed by no relocation; what remains stands for itself
      return btf__add_ptr(to_.get(), 0);
  }
}

// Members first: libbpf adds fields to the type that was added last.
int Copy::make_record(const btf_type& t) {
  std::vector<Member> members;
  const btf_member* m = btf_members(&t);
  for (std::uint32_t i = 0; i < btf_vlen(&t); ++i, ++m) {
    const auto name = name_of(from_, m->name_off);
    if (!name.empty() && !members_.contains(name)) continue;
    members.push_back(
        {std::string(name), type(m->type), btf_member_bit_offset(&t, i), btf_member_bitfield_size(&t, i)});
  }
  const std::string name(name_of(from_, t.name_off));
  const int made = btf_is_struct(&t) ? btf__add_struct(to_.get(), name.c_str(), t.size)
                                     : btf__add_union(to_.get(), name.c_str(), t.size);
  for (const auto& member : members)
    checked(btf__add_field(to_.get(), member.name.c_str(), member.type, member.offset, member.bits), "BTF member");
  return made;
}

// Values matter only where they are reasons' names.
int Copy::make_enum(const btf_type& t) {
  const std::string name(name_of(from_, t.name_off));
  const int made = btf__add_enum(to_.get(), name.c_str(), t.size);
  if (btf_kind(&t) != BTF_KIND_ENUM || (name != drop_enum && name != reset_enum)) return made;
  const struct btf_enum* value = btf_enum(&t);
  for (int i = 0; i < btf_vlen(&t); ++i, ++value)
    checked(btf__add_enum_value(to_.get(), std::string(name_of(from_, value->name_off)).c_str(), value->val),
            "BTF enum");
  return made;
}

// typedef void (*btf_trace_NAME)(void *, …): only the number of parameters is kept.
void Copy::prototype(std::uint32_t id) {
  const btf_type* named = btf__type_by_id(&from_, id);
  const btf_type* pointer = btf__type_by_id(&from_, named->type);
  const btf_type* function = pointer && btf_is_ptr(pointer) ? btf__type_by_id(&from_, pointer->type) : nullptr;
  if (!function || !btf_is_func_proto(function)) return;
  const int proto = checked(btf__add_func_proto(to_.get(), 0), "BTF prototype");
  for (int i = 0; i < btf_vlen(function); ++i) checked(btf__add_func_param(to_.get(), "", integer_), "BTF parameter");
  const std::string name(name_of(from_, named->name_off));
  checked(btf__add_typedef(to_.get(), name.c_str(), btf__add_ptr(to_.get(), proto)), "BTF typedef");
}

// What is read out of the bytes that the programs copy: the programs themselves do not name all of it.
struct Field {
  const char* record;
  const char* member;
  int SockLayout::*where;
};
constexpr Field layout_fields[] = {{"sock_common", "skc_daddr", &SockLayout::daddr},
                                   {"sock_common", "skc_rcv_saddr", &SockLayout::rcv_saddr},
                                   {"sock_common", "skc_dport", &SockLayout::dport},
                                   {"sock_common", "skc_num", &SockLayout::num},
                                   {"sock_common", "skc_family", &SockLayout::family},
                                   {"sock_common", "skc_state", &SockLayout::state},
                                   {"sock_common", "skc_v6_daddr", &SockLayout::v6_daddr},
                                   {"sock_common", "skc_v6_rcv_saddr", &SockLayout::v6_rcv_saddr},
                                   {"tcp_skb_cb", "seq", &SockLayout::seq},
                                   {"tcp_skb_cb", "end_seq", &SockLayout::end_seq},
                                   {"tcp_skb_cb", "tcp_flags", &SockLayout::tcp_flags}};

struct Wanted {
  std::set<std::string, std::less<>> records, members;
};

// A local type's name is the kernel's up to three underscores (libbpf's flavours).
Wanted names_in(const btf& object) {
  Wanted wanted;
  for (std::uint32_t id = 1; id < btf__type_cnt(&object); ++id) {
    const btf_type* t = btf__type_by_id(&object, id);
    if (!btf_is_composite(t)) continue;
    const auto name = name_of(object, t->name_off);
    if (!name.empty()) wanted.records.emplace(name.substr(0, name.find("___")));
    const btf_member* m = btf_members(t);
    for (int i = 0; i < btf_vlen(t); ++i, ++m)
      if (const auto member = name_of(object, m->name_off); !member.empty()) wanted.members.emplace(member);
  }
  for (const auto& field : layout_fields) {
    wanted.records.emplace(field.record);
    wanted.members.emplace(field.member);
  }
  return wanted;
}

std::set<std::string, std::less<>> trace_names() {
  std::set<std::string, std::less<>> names;
  for (const char* tracepoint : tracepoints) names.insert(std::string(tracepoint_prefix) + tracepoint);
  return names;
}

}  // namespace

std::string copied_names() {
  std::string all;
  for (const auto& field : layout_fields) all += fmt::format("{}.{} ", field.record, field.member);
  for (const char* tracepoint : tracepoints) all += fmt::format("{} ", tracepoint);
  return fmt::format("{}{} {}", all, drop_enum, reset_enum);
}

RawTypes thin_types(const btf& wanted, const std::string& path) {
  const Btf kernel(btf__parse(path.c_str(), nullptr));
  if (!kernel)
    throw sys::Unavailable(path + ": " + std::string(strerror(errno)) +
                           " (a kernel with CONFIG_DEBUG_INFO_BTF has it, and BPF needs it)");
  auto [records, members] = names_in(wanted);
  const auto traces = trace_names();
  Copy copy(*kernel, std::move(members));
  for (std::uint32_t id = 1; id < btf__type_cnt(kernel.get()); ++id) {
    const btf_type* t = btf__type_by_id(kernel.get(), id);
    const auto name = name_of(*kernel, t->name_off);
    if (name.empty()) continue;
    if (btf_is_typedef(t) && traces.contains(name)) copy.prototype(id);
    if (btf_is_composite(t) && records.contains(name)) copy.type(id);
    if (btf_is_enum(t) && (name == drop_enum || name == reset_enum)) copy.type(id);
  }
  return copy.bytes();
}

namespace {

std::string without(std::string_view prefix, std::string_view name) {
  return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

KernelFacts::Table values_of(const btf& types, const btf_type* t, std::string_view prefix) {
  KernelFacts::Table table;
  const struct btf_enum* value = btf_enum(t);
  for (int i = 0; i < btf_vlen(t); ++i, ++value)
    table.emplace(static_cast<std::uint32_t>(value->val), without(prefix, name_of(types, value->name_off)));
  return table;
}

// In bytes; a member of an anonymous struct or union counts as the outer one's, as in C. -1: there is none.
int offset_of(const btf& types, const btf_type* t, std::string_view member) {
  const btf_member* m = btf_members(t);
  for (std::uint32_t i = 0; i < btf_vlen(t); ++i, ++m) {
    const auto here = static_cast<int>(btf_member_bit_offset(t, i) / 8);
    const auto name = name_of(types, m->name_off);
    if (name == member) return here;
    const btf_type* inner = btf__type_by_id(&types, m->type);
    if (!name.empty() || !btf_is_composite(inner)) continue;
    if (const int inside = offset_of(types, inner, member); inside >= 0) return here + inside;
  }
  return -1;
}

void read_offsets(const btf& types, const btf_type* t, SockLayout& layout) {
  for (const auto& field : layout_fields)
    if (name_of(types, t->name_off) == field.record) layout.*field.where = offset_of(types, t, field.member);
}

}  // namespace

KernelFacts KernelFacts::of(const RawTypes& raw) {
  const Btf types(btf__new(raw.data(), static_cast<std::uint32_t>(raw.size())));
  if (!types) throw sys::KernelError(errno, "BTF of the running kernel");
  KernelFacts facts;
  for (std::uint32_t id = 1; id < btf__type_cnt(types.get()); ++id) {
    const btf_type* t = btf__type_by_id(types.get(), id);
    const auto name = name_of(*types, t->name_off);
    if (btf_is_typedef(t) && name.starts_with(tracepoint_prefix)) {
      const btf_type* pointer = btf__type_by_id(types.get(), t->type);
      // The first parameter is the probe's own data.
      facts.tracepoints[without(tracepoint_prefix, name)] = btf_vlen(btf__type_by_id(types.get(), pointer->type)) - 1;
    }
    if (btf_is_enum(t) && name == drop_enum) facts.drops = values_of(*types, t, "SKB_DROP_REASON_");
    if (btf_is_enum(t) && name == reset_enum) facts.resets = values_of(*types, t, "SK_RST_REASON_");
    if (btf_is_struct(t)) read_offsets(*types, t, facts.layout);
  }
  return facts;
}

}  // namespace lab::evidence

#endif
