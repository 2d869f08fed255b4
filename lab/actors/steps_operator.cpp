// The operator's steps, from its own side: init is asked, and answers with an errno.
#include <cerrno>

#include "actors/child.hpp"
#include "actors/lane.hpp"
#include "actors/operator.hpp"

namespace lab::actors {

Lane::Next Lane::ask_init(const Op& op, Entry& entry) {
  if (process_.channel < 0) {
    entry.failed(ENOSYS);
    return Next::go_on;
  }
  auto& request = process_.records.front().request;
  for (std::uint32_t idle = Request::idle; !request.state.compare_exchange_strong(idle, Request::claimed);
       idle = Request::idle)
    futex_wait(request.state, idle);
  request.index = index_of(op);
  request.state.store(Request::asked, std::memory_order_release);
  notify(process_.channel);
  while (request.state.load(std::memory_order_acquire) == Request::asked) futex_wait(request.state, Request::asked);
  const int error = request.error;
  request.state.store(Request::idle, std::memory_order_release);
  futex_wake_all(request.state);
  error ? entry.failed(error) : entry.ok();
  return Next::go_on;
}

}  // namespace lab::actors
