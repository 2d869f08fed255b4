// How the programs are written to the cache: numbers and texts one after the other, each text behind its length.
#include <cstring>

#include "evidence/collectors/kernel_programs.hpp"

namespace lab::evidence {
namespace {

void put(std::string& to, std::uint32_t number) { to.append(reinterpret_cast<const char*>(&number), sizeof number); }
void put(std::string& to, const std::string& text) {
  put(to, static_cast<std::uint32_t>(text.size()));
  to += text;
}
void put(std::string& to, const ReadyMap& map) {
  put(to, map.name);
  for (const auto number : {map.type, map.key, map.value, map.entries, map.flags, map.key_type, map.value_type})
    put(to, number);
  put(to, map.contents);
}
void put(std::string& to, const ReadyProgram& program) {
  for (const auto* text : {&program.name, &program.code, &program.functions}) put(to, *text);
}

// The other way; `good` goes when there is less than was asked for.
struct Taker {
  std::string_view left;
  bool good = true;

  std::string_view bytes(std::size_t count) {
    good &= count <= left.size();
    const auto piece = left.substr(0, good ? count : 0);
    left.remove_prefix(piece.size());
    return piece;
  }
  void take(std::uint32_t& number) {
    const auto piece = bytes(sizeof number);
    if (good) std::memcpy(&number, piece.data(), sizeof number);
  }
  void take(std::string& text) {
    std::uint32_t size = 0;
    take(size);
    text = bytes(size);
  }
  void take(ReadyMap& map) {
    take(map.name);
    for (auto* number : {&map.type, &map.key, &map.value, &map.entries, &map.flags, &map.key_type, &map.value_type})
      take(*number);
    take(map.contents);
  }
  void take(ReadyProgram& program) {
    for (auto* text : {&program.name, &program.code, &program.functions}) take(*text);
  }
  template <class One>
  void take(std::vector<One>& all) {
    std::uint32_t count = 0;
    take(count);
    for (; good && count; --count) take(all.emplace_back());
  }
};

}  // namespace

std::string ReadyPrograms::to_bytes() const {
  std::string bytes;
  put(bytes, kernel);
  put(bytes, btf);
  const auto each = [&](const auto& all) {
    put(bytes, static_cast<std::uint32_t>(all.size()));
    for (const auto& one : all) put(bytes, one);
  };
  each(maps);
  each(programs);
  return bytes;
}

std::optional<ReadyPrograms> ReadyPrograms::of(std::string_view bytes) {
  Taker taker{bytes};
  ReadyPrograms ready;
  taker.take(ready.kernel);
  taker.take(ready.btf);
  taker.take(ready.maps);
  taker.take(ready.programs);
  if (!taker.good || !taker.left.empty() || ready.programs.empty()) return {};
  return ready;
}

}  // namespace lab::evidence
