// The ring through which BPF programs tell, on libbpf's reader.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string_view>

struct ring_buffer;

namespace lab::evidence {

class Ring {
 public:
  using Take = std::function<void(std::string_view record)>;
  // `kept_from_children`: processes that are forked later do not have the ring mapped.
  Ring(int map, Take take, bool kept_from_children);
  ~Ring();

  int descriptor() const;
  // Hands out what is there; throws what `take` threw, after the others.
  void consume();

 private:
  struct Close {
    void operator()(ring_buffer* ring) const;
  };
  Take take_;
  std::exception_ptr failure_;
  std::unique_ptr<ring_buffer, Close> ring_;
};

}  // namespace lab::evidence
