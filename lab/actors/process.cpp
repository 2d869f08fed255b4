#include "actors/process.hpp"

#include <memory>

#include "actors/options.hpp"
#include "system/clock.hpp"

namespace lab::actors {
namespace {

void* run_thread(void* work) {
  const std::unique_ptr<std::function<void()>> owned(static_cast<std::function<void()>*>(work));
  (*owned)();
  return nullptr;
}

}  // namespace

int Threads::start(std::function<void()> work) {
  auto owned = std::make_unique<std::function<void()>>(std::move(work));
  const std::lock_guard hold(lock_);
  // One that has ended still holds its stack until it is joined.
  std::erase_if(all_, [](pthread_t thread) { return ::pthread_tryjoin_np(thread, nullptr) == 0; });
  pthread_t thread{};
  const int error = ::pthread_create(&thread, nullptr, run_thread, owned.get());
  if (error) return error;
  (void)owned.release();
  all_.push_back(thread);
  return 0;
}

void Threads::join() {
  while (true) {
    std::vector<pthread_t> now;
    {
      const std::lock_guard hold(lock_);
      now.swap(all_);
    }
    if (now.empty()) return;
    for (const auto thread : now) ::pthread_join(thread, nullptr);
  }
}

void Threads::forget() { all_.clear(); }

int make_socket(Process& process, int family, bool listening, Connection& connection, Via& via) {
  connection = Connection{.family = family};
  via = Via::socket;
  connection.fd = ::socket(family, SOCK_STREAM, protocol_of(process.actor.options));
  if (connection.fd < 0) return errno;
  via = Via::setsockopt;
  if (const int yes = 1; listening && ::setsockopt(connection.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
    return errno;
  for (const auto& option : process.actor.options) {
    if (const int error = set_option(connection.fd, family, option, listening)) return error;
    if (asks_for_reset(option)) connection.linger_zero = true;
  }
  via = Via::verb;
  return 0;
}

bool open_listener(Process& process) {
  const auto address = to_kernel(*process.actor.listen);
  auto& listener = process.listener;
  Via via = Via::verb;
  const auto start = sys::now_ns();
  int error = make_socket(process, address.family(), true, listener, via);
  if (!error && ::bind(listener.fd, address.get(), address.length) != 0) error = errno, via = Via::bind;
  if (!error && ::listen(listener.fd, process.actor.backlog) != 0) error = errno, via = Via::listen;
  listener.local = end_of(address);
  process.listens_everywhere = address.wildcard();
  if (!error) return true;

  auto& record = process.records.instance(0).listen;
  record.pid = record.tid = process.pid;
  record.start_ns = start;
  record.end_ns = sys::now_ns();
  record.error = error;
  record.via = via;
  record.fd = listener.fd;
  record.local_family = listener.local.family;
  record.local_port = listener.local.port;
  std::copy_n(listener.local.ip, sizeof record.local_ip, record.local_ip);
  std::atomic_ref(record.outcome).store(static_cast<std::uint8_t>(Outcome::error), std::memory_order_release);
  return false;
}

}  // namespace lab::actors
