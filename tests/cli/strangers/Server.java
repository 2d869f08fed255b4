import java.net.*;

/** Accepts, waits until the request lies there, and closes without reading it. */
public class Server {
  public static void main(String[] arguments) throws Exception {
    ServerSocket listener = new ServerSocket();
    listener.bind(new InetSocketAddress(System.getenv("LAB_HOST"), Integer.parseInt(System.getenv("LAB_PORT"))));
    while (true) {
      Socket connection = listener.accept();
      new Thread(() -> {
        try {
          while (connection.getInputStream().available() == 0) Thread.onSpinWait();
          connection.close();
        } catch (Exception error) {
          System.out.println(error);
        }
      }).start();
    }
  }
}
