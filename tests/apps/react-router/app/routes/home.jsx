export default function Home() {
  return <p>react-router answers</p>;
}
