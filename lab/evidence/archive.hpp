// What the file's and the record's archives share: walking fields() of a const object, and making an event of the
// n-th type. An archive is called as a("name", member)("name", member)… and returns itself.
#pragma once

#include <cstddef>
#include <utility>
#include <variant>
#include <vector>

#include "evidence/event.hpp"

namespace lab::evidence {

// fields() is written once, for readers and writers: a writer's archive takes its arguments by const reference.
template <class T, class Archive>
void each_field(const T& object, Archive& archive) {
  const_cast<T&>(object).fields(archive);
}

struct FieldAddresses {
  std::vector<const void*> list;
  template <class T>
  FieldAddresses& operator()(const char*, const T& value) {
    list.push_back(&value);
    return *this;
  }
};

// Where a default-made T's fields lie, in the order of fields(): what a value is compared with to be left out.
template <class T>
const std::vector<const void*>& defaults_of() {
  static const T object{};
  static const FieldAddresses addresses = [] {
    FieldAddresses made;
    each_field(object, made);
    return made;
  }();
  return addresses.list;
}

// A What that holds a default-made alternative number `index`; index must be below variant_size.
inline What make_what(std::size_t index) {
  What what;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    ((I == index ? static_cast<void>(what.emplace<I>()) : void()), ...);
  }
  (std::make_index_sequence<std::variant_size_v<What>>{});
  return what;
}

}  // namespace lab::evidence
