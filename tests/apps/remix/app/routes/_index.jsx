export default function Index() {
  return <p>remix answers</p>;
}
