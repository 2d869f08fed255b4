#include "system/nftables/library.hpp"

#include <dlfcn.h>
#include <nftables/libnftables.h>
#include <sys/mman.h>
#include <unistd.h>

#include "system/descriptor.hpp"
#include "system/error.hpp"

namespace lab::nft {
namespace {

struct Functions {
  decltype(&::nft_ctx_new) make;
  decltype(&::nft_ctx_free) free;
  decltype(&::nft_ctx_buffer_output) buffer_output;
  decltype(&::nft_ctx_buffer_error) buffer_error;
  decltype(&::nft_ctx_get_output_buffer) output;
  decltype(&::nft_ctx_get_error_buffer) error;
  decltype(&::nft_ctx_output_set_flags) set_flags;
  decltype(&::nft_ctx_add_var) add_variable;
  decltype(&::nft_run_cmd_from_buffer) run;
  decltype(&::nft_run_cmd_from_filename) run_file;
};

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (!function)
    throw sys::Unavailable(std::string("libnftables.so.1 has no ") + name + ": nftables 1.0 or later is needed");
}

// Never unloaded: it keeps state of its own (gmp, xtables).
Functions open_library() {
  void* library = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    throw sys::Unavailable(std::string("whole rulesets need libnftables (package libnftables1): ") + ::dlerror());
  Functions all{};
  find(library, "nft_ctx_new", all.make);
  find(library, "nft_ctx_free", all.free);
  find(library, "nft_ctx_buffer_output", all.buffer_output);
  find(library, "nft_ctx_buffer_error", all.buffer_error);
  find(library, "nft_ctx_get_output_buffer", all.output);
  find(library, "nft_ctx_get_error_buffer", all.error);
  find(library, "nft_ctx_output_set_flags", all.set_flags);
  find(library, "nft_ctx_add_var", all.add_variable);
  find(library, "nft_run_cmd_from_buffer", all.run);
  find(library, "nft_run_cmd_from_filename", all.run_file);
  return all;
}

const Functions& nft() {
  static const Functions functions = open_library();
  return functions;
}

}  // namespace

void Nftables::Free::operator()(nft_ctx* context) const { nft().free(context); }

Nftables::Nftables(std::uint32_t output_flags) : context_(nft().make(NFT_CTX_DEFAULT)) {
  if (!context_ || nft().buffer_output(context_.get()) != 0 || nft().buffer_error(context_.get()) != 0)
    throw sys::LabError("libnftables: no context");
  nft().set_flags(context_.get(), output_flags);
}

void Nftables::define(const std::string& name, const std::string& value) {
  if (nft().add_variable(context_.get(), (name + "=" + value).c_str()) != 0)
    throw sys::LabError("libnftables: can't define $" + name + " as " + value);
}

bool Nftables::run(const std::string& commands) { return nft().run(context_.get(), commands.c_str()) == 0; }

std::string Nftables::output() const {
  const auto* text = nft().output(context_.get());
  return text ? text : "";
}

bool Nftables::run_text(const std::string& text) {
  const sys::Descriptor file(sys::check(::memfd_create("ruleset", MFD_CLOEXEC), "memory for a ruleset"));
  for (std::size_t at = 0; at < text.size();)
    at += static_cast<std::size_t>(
        sys::check(::write(file.get(), text.data() + at, text.size() - at), "memory for a ruleset"));
  path_ = "/proc/self/fd/" + std::to_string(file.get());
  return nft().run_file(context_.get(), path_.c_str()) == 0;
}

std::string Nftables::errors() const {
  const auto* errors = nft().error(context_.get());
  std::string text = errors ? errors : "";
  for (std::size_t at = 0; !path_.empty() && (at = text.find(path_, at)) != std::string::npos;)
    text.replace(at, path_.size(), kText);
  return text;
}

}  // namespace lab::nft
