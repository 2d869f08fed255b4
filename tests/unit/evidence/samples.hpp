// Events to test archives with: one of each type, every field different from its default and from its neighbours.
#pragma once

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "evidence/event.hpp"

namespace lab::evidence::samples {

struct Fill {
  int seed;

  template <class T>
  Fill& operator()(const char* name, T& value) {
    ++seed;
    if constexpr (std::is_same_v<T, bool>) {
      value = !value;
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(seed);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = std::string(name) + " " + std::to_string(seed);
    } else if constexpr (std::is_same_v<T, Address>) {
      value = *parse_address(seed % 2 ? "10.0.0." + std::to_string(seed % 256) + ":" + std::to_string(seed)
                                      : "[fd00::" + std::to_string(seed) + "]:" + std::to_string(seed));
    } else if constexpr (std::is_same_v<T, std::vector<Collector>>) {
      value.resize(2);
      for (auto& collector : value) collector.fields(*this);
    } else if constexpr (std::is_same_v<T, std::vector<int>>) {
      value = {seed, -seed};
    } else {
      value = {"a=" + std::to_string(seed), "b"};
    }
    return *this;
  }
};

template <class T>
T filled(int seed) {
  T object;
  Fill fill{seed};
  object.fields(fill);
  return object;
}

template <class... Types>
std::vector<Event> one_of_each(const std::variant<Types...>*) {
  std::vector<Event> events;
  int seed = 0;
  (events.push_back(Event{.t_ns = 1'000'000 + seed, .read_time = seed % 2 == 0, .what = filled<Types>(seed += 40)}),
   ...);
  return events;
}
inline std::vector<Event> one_of_each() { return one_of_each(static_cast<const What*>(nullptr)); }

template <class... Types>
std::vector<Event> defaults_of_each(const std::variant<Types...>*) {
  return {Event{.what = Types{}}...};
}
inline std::vector<Event> defaults_of_each() { return defaults_of_each(static_cast<const What*>(nullptr)); }

inline Timeline timeline() {
  Timeline made;
  made.provenance = filled<Provenance>(7);
  made.provenance.format = Provenance{}.format;
  made.events = one_of_each();
  return made;
}

}  // namespace lab::evidence::samples
